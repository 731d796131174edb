//! The response-headers policy: the security headers of every page, which
//! [`security_headers`](crate::security_headers) defines.
//!
//! An account can have twenty of them, and most stacks need the same. So it is no stack's own: its name carries a hash of
//! its headers, every stack with these headers uses it, and it goes with the last distribution that does. Other headers are
//! another policy. Those that earlier versions made for each stack are replaced by the shared one.

mod config;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_cloudfront::types::{
    DistributionSummary, ResponseHeadersPolicy, ResponseHeadersPolicyConfig, ResponseHeadersPolicyType,
};
use serde_json::json;

use self::config::{HEADERS, views};
use super::{Kind, distributions, log_group};
use crate::permission::Permission;
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _, code_of, retry};
use peersync_engine::{
    Address, ApplyContext, Changes, Field, FieldName, Fields, Live, LiveField, LiveFields, OutputMap, Outputs,
    Ownership, Progress, Resource, ResourceError, SharedReads, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: None };
const NAME: &str = "response_headers_policy";

/// The name, which told the stack in earlier versions.
const POLICY_NAME: FieldName = FieldName::new("name");
/// The names of policies that earlier versions made for the stack, if it uses another one by now.
const LEFTOVERS: FieldName = FieldName::new("leftovers");

const GONE: &[&str] = &["NoSuchResponseHeadersPolicy"];
/// Transient error codes: the distribution that uses it is still being deleted, or it changed since it was read.
const TRANSIENT: &[&str] = &["ResponseHeadersPolicyInUse", "PreconditionFailed", "InvalidIfMatchVersion"];

/// Returns the address of the response-headers policy.
pub fn address() -> Address {
    Address::new(NAME, "site")
}

struct HeadersPolicy {
    stack: Arc<Stack>,
    address: Address,
    name: String,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(HeadersPolicy { stack: stack.clone(), address: address(), name: wanted_name(stack) })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let any =
        format!("arn:{}:cloudfront::{}:response-headers-policy/*", stack.identity.partition, stack.identity.account);
    vec![
        Permission::anywhere(&["cloudfront:ListDistributions", "cloudfront:ListResponseHeadersPolicies"]),
        // AWS supports nothing narrower: CloudFront assigns the identifiers, and these resources cannot be tagged.
        Permission::new(
            &[
                "cloudfront:CreateResponseHeadersPolicy",
                "cloudfront:DeleteResponseHeadersPolicy",
                "cloudfront:GetResponseHeadersPolicy",
                "cloudfront:UpdateResponseHeadersPolicy",
            ],
            vec![any],
        ),
    ]
}

#[async_trait]
impl Resource for HeadersPolicy {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn dependencies(&self) -> Vec<Address> {
        rule!("headers-policy-after-log-group", vec![log_group::last()])
    }

    fn taggable(&self) -> bool {
        false
    }

    fn replace_on(&self) -> &'static [(FieldName, &'static str)] {
        &[(POLICY_NAME, "other stacks may use the policy with the headers of before")]
    }

    fn create_before_destroy(&self) -> bool {
        true
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let all = list(&self.stack).await?;
        let own = self.of_earlier_versions(&all, reads).await?;
        let Some(found) = self.choose(&all, &own, reads).await? else { return Ok(None) };
        let leftovers: Vec<&str> = own.iter().filter(|one| one.id != found.id).map(|one| name_of(one)).collect();
        let fields = found.response_headers_policy_config.as_ref().map(views).unwrap_or_default();
        let fields: LiveFields = fields.into_iter().map(|(name, value)| (name, LiveField::Known(value))).collect();
        Ok(Some(Live {
            fields: fields.with(LEFTOVERS, leftovers),
            outputs: OutputMap::new().with("id", &found.id),
            id: found.id.clone(),
            ..Live::default()
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        // The configuration consists of constants and one list. If it cannot be built, `create` returns the error.
        let fields = self.config().map(|config| views(&config)).unwrap_or_default();
        let fields: Fields = fields.into_iter().map(|(name, value)| (name, Field::Known(value))).collect();
        fields.with(LEFTOVERS, json!([]))
    }

    async fn create(&self, _: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        Ok(OutputMap::new().with("id", provide(&self.stack).await?))
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        const SUMMARY: &str = "failed to change the response-headers policy";
        let cloudfront = &self.stack.clients.cloudfront;
        if changes.has_any(HEADERS) {
            let current = cloudfront.get_response_headers_policy().id(&live.id).send().await.context(SUMMARY)?;
            let call = cloudfront.update_response_headers_policy().id(&live.id).set_if_match(current.e_tag);
            call.response_headers_policy_config(self.config()?).send().await.context(SUMMARY)?;
        }
        if changes.has(LEFTOVERS) {
            self.remove_unused(context.progress, &live.fields.texts(LEFTOVERS), None).await?;
        }
        Ok(live.outputs.clone())
    }

    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        self.remove_unused(progress, &live.fields.texts(LEFTOVERS), Some(&live.id)).await
    }
}

impl HeadersPolicy {
    fn config(&self) -> Result<ResponseHeadersPolicyConfig, ResourceError> {
        config::build(&self.stack, &self.name, &self.stack.connect_origins())
    }

    /// Returns the policy that the stack has: the one that its distribution uses. As long as the stack has no distribution,
    /// or one that somebody has given a policy of their own, it is the one with the wanted headers, or one of an earlier
    /// version.
    async fn choose<'a>(
        &self,
        all: &'a [ResponseHeadersPolicy],
        own: &[&'a ResponseHeadersPolicy],
        reads: &SharedReads,
    ) -> Result<Option<&'a ResponseHeadersPolicy>, ResourceError> {
        let (distribution, exists) = futures::try_join!(
            distributions::found(&self.stack, reads),
            log_group::exists(&self.stack, reads, "signal")
        )?;
        let is_ours =
            |one: &ResponseHeadersPolicy| Stack::is_shared(name_of(one)) || own.iter().any(|own| own.id == one.id);
        let used = distribution.and_then(|distribution| {
            all.iter().find(|one| is_ours(one) && distributions::uses_policy(&distribution, &one.id))
        });
        let wanted = || all.iter().find(|one| exists && name_of(one) == self.name);
        Ok(used.or_else(wanted).or(own.first().copied()))
    }

    /// Returns the policies that earlier versions made for this stack: with its name, and at first without the region in it.
    async fn of_earlier_versions<'a>(
        &self,
        all: &'a [ResponseHeadersPolicy],
        reads: &SharedReads,
    ) -> Result<Vec<&'a ResponseHeadersPolicy>, ResourceError> {
        let stack = &self.stack;
        let mut own = Vec::new();
        for one in all {
            let uses = |distribution: &DistributionSummary| distributions::uses_policy(distribution, &one.id);
            let name = name_of(one);
            let is_ours = if name == stack.global("site") {
                stack.ownership_by_mark(comment_of(one)) == Ownership::Ours
            } else if name == stack.named("site") && comment_of(one) == Some(&stack.mark()) {
                distributions::is_used_by_us_alone(stack, reads, uses).await?
            } else {
                false
            };
            own.extend(is_ours.then_some(one));
        }
        Ok(own)
    }

    /// Deletes a policy, those with these names, and the shared ones that interrupted runs have left, as far as no
    /// distribution uses them.
    async fn remove_unused(
        &self,
        progress: &Progress,
        names: &[String],
        id: Option<&str>,
    ) -> Result<(), ResourceError> {
        for policy in list(&self.stack).await? {
            let name = name_of(&policy);
            if id == Some(&policy.id) || names.iter().any(|one| one == name) || Stack::is_shared(name) {
                self.remove(progress, &policy.id).await?;
            }
        }
        Ok(())
    }

    /// Deletes a policy if no distribution uses it.
    async fn remove(&self, progress: &Progress, id: &str) -> Result<(), ResourceError> {
        const SUMMARY: &str = "failed to delete the response-headers policy";
        let cloudfront = &self.stack.clients.cloudfront;
        retry::while_failing(
            progress,
            retry::Schedule::EDGE,
            |error| rule!("headers-policy-delete-while-busy", error.is(TRANSIENT)),
            || async {
                let all = distributions::list(&self.stack.clients).await?;
                let is_used = all.iter().any(|distribution| distributions::uses_policy(distribution, id));
                if rule!("headers-policy-stays-for-others", is_used) {
                    return Ok(());
                }
                let current = cloudfront.get_response_headers_policy().id(id).send().await;
                let Some(current) = current.found(GONE, SUMMARY)? else { return Ok(()) };
                let call = cloudfront.delete_response_headers_policy().id(id).set_if_match(current.e_tag);
                let answer = call.send().await;
                answer.found(rule!("headers-policy-delete-survives-absence", GONE), SUMMARY).map(|_| ())
            },
        )
        .await
    }
}

/// Returns the id of the policy with the stack's headers, which is created if no stack has one.
///
/// # Errors
/// It cannot be created, or CloudFront refuses the call.
pub(super) async fn provide(stack: &Stack) -> Result<String, ResourceError> {
    provide_with(stack, &stack.connect_origins()).await
}

/// Does the same for the stack's headers with other origins to which pages may connect.
async fn provide_with(stack: &Stack, connect: &[String]) -> Result<String, ResourceError> {
    const SUMMARY: &str = "failed to create the response-headers policy";
    let name = config::name(stack, connect);
    let existing = || async { Ok(list(stack).await?.into_iter().find(|one| name_of(one) == name)) };
    // First of all, because an account that has as many as it may could not create it again.
    if let Some(found) = existing().await? {
        return Ok(found.id);
    }
    let call = stack.clients.cloudfront.create_response_headers_policy();
    let answer = call.response_headers_policy_config(config::build(stack, &name, connect)?).send().await;
    let created = match answer {
        Ok(answer) => answer.response_headers_policy,
        // The response to an earlier attempt was lost, or another stack has just created it.
        Err(error)
            if rule!(
                "headers-policy-create-survives-lost-answer",
                code_of(&error) == Some("ResponseHeadersPolicyAlreadyExists")
            ) =>
        {
            existing().await?
        }
        Err(error) => return Err(error).context(SUMMARY),
    };
    let created = created.ok_or_else(|| ResourceError::new(SUMMARY).caused_by("CloudFront returned no identifier"))?;
    Ok(created.id)
}

/// Returns the name of the policy with the headers that the stack needs.
pub(super) fn wanted_name(stack: &Stack) -> String {
    config::name(stack, &stack.connect_origins())
}

/// Returns the id of a policy that lets pages connect to what the stack needs and to what the policy `used` lets them;
/// `None` if the stack's own does, or if the other one is not one of the shared ones.
///
/// # Errors
/// CloudFront refuses a call.
pub(super) async fn provide_for_both(stack: &Stack, used: &str) -> Result<Option<String>, ResourceError> {
    let answer = stack.clients.cloudfront.get_response_headers_policy().id(used).send().await;
    let answer = answer.found(GONE, "failed to read the response-headers policy of before")?;
    let Some(used) = answer.and_then(|answer| answer.response_headers_policy) else { return Ok(None) };
    let wanted = stack.connect_origins();
    let mut former = config::connect_origins(&used);
    former.retain(|origin| !wanted.contains(origin));
    if former.is_empty() || !Stack::is_shared(name_of(&used)) {
        return Ok(None);
    }
    provide_with(stack, &[wanted, former].concat()).await.map(Some)
}

/// Lists the policies of the account. CloudFront's own ones are not among them.
pub(super) async fn list(stack: &Stack) -> Result<Vec<ResponseHeadersPolicy>, ResourceError> {
    let mut all = Vec::new();
    let mut marker = None;
    loop {
        let call = stack.clients.cloudfront.list_response_headers_policies();
        let call = call.r#type(ResponseHeadersPolicyType::Custom).set_marker(marker);
        let page = call.send().await.context("failed to list the response-headers policies")?;
        let Some(list) = page.response_headers_policy_list else { return Ok(all) };
        all.extend(list.items.into_iter().flatten().filter_map(|item| item.response_headers_policy));
        marker = list.next_marker.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            return Ok(all);
        }
    }
}

/// Returns the name of a policy.
pub(super) fn name_of(policy: &ResponseHeadersPolicy) -> &str {
    policy.response_headers_policy_config.as_ref().map_or("", |config| &config.name)
}

fn comment_of(policy: &ResponseHeadersPolicy) -> Option<&str> {
    policy.response_headers_policy_config.as_ref().and_then(|config| config.comment())
}
