//! The origin access control, with which the distribution signs its requests to the bucket.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_cloudfront::types::{
    OriginAccessControlConfig, OriginAccessControlOriginTypes, OriginAccessControlSigningBehaviors,
    OriginAccessControlSigningProtocols, OriginAccessControlSummary,
};

use super::{Kind, Permission};
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _, code_of, retry};
use peersync_engine::{
    Address, ApplyContext, Changes, FieldName, Fields, Live, LiveFields, OutputMap, Outputs, Progress, Resource,
    ResourceError, SharedReads, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances };
const NAME: &str = "origin_access_control";

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
    vec![Arc::new(AccessControl { stack: stack.clone(), address: address(), name: stack.named("site") })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let any =
        format!("arn:{}:cloudfront::{}:origin-access-control/*", stack.identity.partition, stack.identity.account);
    vec![
        // AWS supports nothing narrower: CloudFront assigns the identifiers, and these resources cannot be tagged.
        Permission {
            actions: vec!["cloudfront:CreateOriginAccessControl", "cloudfront:ListOriginAccessControls"],
            resources: vec!["*".to_owned()],
        },
        Permission {
            actions: vec![
                "cloudfront:DeleteOriginAccessControl",
                "cloudfront:GetOriginAccessControl",
                "cloudfront:UpdateOriginAccessControl",
            ],
            resources: vec![any],
        },
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
        Vec::new()
    }

    fn taggable(&self) -> bool {
        false
    }

    async fn observe(&self, _: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let Some(found) = self.find().await? else { return Ok(None) };
        Ok(Some(Live {
            ownership: self.stack.ownership_by_mark(Some(&found.description)),
            fields: LiveFields::new()
                .with(SIGNING, found.signing_behavior.as_str())
                .with(PROTOCOL, found.signing_protocol.as_str())
                .with(ORIGIN_TYPE, found.origin_access_control_origin_type.as_str()),
            outputs: OutputMap::new().with("id", &found.id),
            id: found.id,
            tags: None,
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        Fields::new().with(SIGNING, "always").with(PROTOCOL, "sigv4").with(ORIGIN_TYPE, "s3")
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
                self.find().await?.map(|found| found.id)
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

impl AccessControl {
    async fn find(&self) -> Result<Option<OriginAccessControlSummary>, ResourceError> {
        let mut pages = self.stack.clients.cloudfront.list_origin_access_controls().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.context("failed to list the origin access controls")?;
            let items = page.origin_access_control_list.and_then(|list| list.items).unwrap_or_default();
            if let Some(found) = items.into_iter().find(|item| item.name == self.name) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn config(&self) -> Result<OriginAccessControlConfig, ResourceError> {
        OriginAccessControlConfig::builder()
            .name(&self.name)
            .description(self.stack.mark())
            .signing_protocol(OriginAccessControlSigningProtocols::Sigv4)
            .signing_behavior(OriginAccessControlSigningBehaviors::Always)
            .origin_access_control_origin_type(OriginAccessControlOriginTypes::S3)
            .build()
            .context("failed to build the origin access control")
    }
}
