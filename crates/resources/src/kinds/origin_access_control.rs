//! The origin access control, with which the distribution signs its requests to the bucket.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_cloudfront::types::{
    DistributionSummary, OriginAccessControlConfig, OriginAccessControlOriginTypes,
    OriginAccessControlSigningBehaviors, OriginAccessControlSigningProtocols, OriginAccessControlSummary,
};

use super::{Kind, distributions, log_group};
use crate::permission::Permission;
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _, code_of, retry};
use peersync_engine::{
    Address, ApplyContext, Changes, FieldName, Fields, Live, LiveFields, OutputMap, Outputs, Ownership, Progress,
    Resource, ResourceError, SharedReads, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: None };
const NAME: &str = "origin_access_control";

/// The name, which did not include the region in earlier versions.
const ACCESS_CONTROL_NAME: FieldName = FieldName::new("name");
/// The signing behaviour: which requests are signed.
const SIGNING: FieldName = FieldName::new("signing");
const PROTOCOL: FieldName = FieldName::new("protocol");
const ORIGIN_TYPE: FieldName = FieldName::new("origin_type");

const GONE: &[&str] = &["NoSuchOriginAccessControl"];
/// Transient error codes: the distribution that uses it is still being deleted, or it changed since it was read.
const TRANSIENT: &[&str] = &["OriginAccessControlInUse", "PreconditionFailed", "InvalidIfMatchVersion"];

/// Returns the address of the origin access control.
pub fn address() -> Address {
    Address::new(NAME, "site")
}

struct AccessControl {
    stack: Arc<Stack>,
    address: Address,
    name: String,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(AccessControl { stack: stack.clone(), address: address(), name: stack.global("site") })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let any =
        format!("arn:{}:cloudfront::{}:origin-access-control/*", stack.identity.partition, stack.identity.account);
    vec![
        Permission::anywhere(&["cloudfront:CreateOriginAccessControl", "cloudfront:ListOriginAccessControls"]),
        // AWS supports nothing narrower: CloudFront assigns the identifiers, and these resources cannot be tagged.
        Permission::new(
            &[
                "cloudfront:DeleteOriginAccessControl",
                "cloudfront:GetOriginAccessControl",
                "cloudfront:UpdateOriginAccessControl",
            ],
            vec![any],
        ),
    ]
}

#[async_trait]
impl Resource for AccessControl {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn dependencies(&self) -> Vec<Address> {
        rule!("access-control-after-log-group", vec![log_group::last()])
    }

    fn taggable(&self) -> bool {
        false
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let all = list(&self.stack).await?;
        let (found, ownership) = match all.iter().find(|one| one.name == self.name) {
            Some(found) => (found.clone(), self.stack.ownership_by_mark(Some(&found.description))),
            None => match self.of_earlier_version(all, reads).await? {
                Some(found) => (found, Ownership::Ours),
                None => return Ok(None),
            },
        };
        Ok(Some(Live {
            ownership,
            fields: LiveFields::new()
                .with(ACCESS_CONTROL_NAME, found.name.as_str())
                .with(SIGNING, found.signing_behavior.as_str())
                .with(PROTOCOL, found.signing_protocol.as_str())
                .with(ORIGIN_TYPE, found.origin_access_control_origin_type.as_str()),
            outputs: OutputMap::new().with("id", &found.id),
            id: found.id,
            tags: None,
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        let fields = Fields::new().with(ACCESS_CONTROL_NAME, self.name.as_str());
        fields.with(SIGNING, "always").with(PROTOCOL, "sigv4").with(ORIGIN_TYPE, "s3")
    }

    async fn create(&self, _: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        const SUMMARY: &str = "failed to create the origin access control";
        let call = self.stack.clients.cloudfront.create_origin_access_control();
        let answer = call.origin_access_control_config(self.config()?).send().await;
        let id = match answer {
            Ok(answer) => answer.origin_access_control.map(|created| created.id),
            // It exists because the response to an earlier attempt was lost; observe has ruled out an unmanaged one.
            Err(error)
                if rule!(
                    "access-control-create-survives-lost-answer",
                    code_of(&error) == Some("OriginAccessControlAlreadyExists")
                ) =>
            {
                list(&self.stack).await?.into_iter().find(|one| one.name == self.name).map(|found| found.id)
            }
            Err(error) => return Err(error).context(SUMMARY),
        };
        let id = id.ok_or_else(|| ResourceError::new(SUMMARY).caused_by("CloudFront returned no identifier"))?;
        Ok(OutputMap::new().with("id", id))
    }

    async fn update(&self, _: &ApplyContext<'_>, live: &Live, _: &Changes) -> Result<OutputMap, ResourceError> {
        const SUMMARY: &str = "failed to change the origin access control";
        let cloudfront = &self.stack.clients.cloudfront;
        let current = cloudfront.get_origin_access_control().id(&live.id).send().await.context(SUMMARY)?;
        let call = cloudfront.update_origin_access_control().id(&live.id).set_if_match(current.e_tag);
        call.origin_access_control_config(self.config()?).send().await.context(SUMMARY)?;
        Ok(live.outputs.clone())
    }

    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        const SUMMARY: &str = "failed to delete the origin access control";
        let cloudfront = &self.stack.clients.cloudfront;
        retry::while_failing(
            progress,
            retry::Schedule::EDGE,
            |error| rule!("access-control-delete-while-busy", error.is(TRANSIENT)),
            || async {
                let current = cloudfront.get_origin_access_control().id(&live.id).send().await;
                let Some(current) = current.found(GONE, SUMMARY)? else { return Ok(()) };
                let call = cloudfront.delete_origin_access_control().id(&live.id).set_if_match(current.e_tag);
                let answer = call.send().await;
                answer.found(rule!("access-control-delete-survives-absence", GONE), SUMMARY).map(|_| ())
            },
        )
        .await
    }
}

/// Lists the origin access controls of the account.
pub(super) async fn list(stack: &Stack) -> Result<Vec<OriginAccessControlSummary>, ResourceError> {
    let pages = stack.clients.cloudfront.list_origin_access_controls().into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.context("failed to list the origin access controls")?;
    Ok(pages.into_iter().filter_map(|page| page.origin_access_control_list?.items).flatten().collect())
}

impl AccessControl {
    /// Returns the one that an earlier version created, without the region in its name, for this stack.
    async fn of_earlier_version(
        &self,
        all: Vec<OriginAccessControlSummary>,
        reads: &SharedReads,
    ) -> Result<Option<OriginAccessControlSummary>, ResourceError> {
        let (name, mark) = (self.stack.named("site"), self.stack.mark());
        let Some(found) = all.into_iter().find(|one| one.name == name && one.description == mark) else {
            return Ok(None);
        };
        let uses = |one: &DistributionSummary| {
            let mut origins = one.origins.iter().flat_map(|origins| &origins.items);
            origins.any(|origin| origin.origin_access_control_id() == Some(&found.id))
        };
        let ours = distributions::is_used_by_us_alone(&self.stack, reads, uses).await?;
        Ok(Some(found).filter(|_| ours))
    }

    fn config(&self) -> Result<OriginAccessControlConfig, ResourceError> {
        OriginAccessControlConfig::builder()
            .name(&self.name)
            .description(self.stack.global_mark())
            .signing_protocol(OriginAccessControlSigningProtocols::Sigv4)
            .signing_behavior(OriginAccessControlSigningBehaviors::Always)
            .origin_access_control_origin_type(OriginAccessControlOriginTypes::S3)
            .build()
            .context("failed to build the origin access control")
    }
}
