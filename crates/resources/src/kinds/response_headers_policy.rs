//! The response-headers policy: the security headers of every page, which
//! [`security_headers`](crate::security_headers) defines.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_cloudfront::types::{
    DistributionSummary, FrameOptionsList, ReferrerPolicyList, ResponseHeadersPolicy, ResponseHeadersPolicyConfig,
    ResponseHeadersPolicyContentSecurityPolicy, ResponseHeadersPolicyContentTypeOptions,
    ResponseHeadersPolicyCustomHeader, ResponseHeadersPolicyCustomHeadersConfig, ResponseHeadersPolicyFrameOptions,
    ResponseHeadersPolicyReferrerPolicy, ResponseHeadersPolicySecurityHeadersConfig,
    ResponseHeadersPolicyStrictTransportSecurity, ResponseHeadersPolicyType,
};
use serde_json::{Value, json};

use super::{Kind, distributions, log_group};
use crate::permission::Permission;
use crate::security_headers as headers;
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _, code_of, retry};
use peersync_engine::{
    Address, ApplyContext, Changes, Field, FieldMap, FieldName, Fields, Live, LiveField, OutputMap, Outputs, Ownership,
    Progress, Resource, ResourceError, SharedReads, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: None };
const NAME: &str = "response_headers_policy";

/// The name, which did not include the region in earlier versions.
const POLICY_NAME: FieldName = FieldName::new("name");
const CONTENT_SECURITY_POLICY: FieldName = FieldName::new("content-security-policy");
const STRICT_TRANSPORT_SECURITY: FieldName = FieldName::new("strict-transport-security");
const REFERRER_POLICY: FieldName = FieldName::new("referrer-policy");
const FRAME_OPTIONS: FieldName = FieldName::new("x-frame-options");
const CONTENT_TYPE_OPTIONS: FieldName = FieldName::new("x-content-type-options");
/// All custom headers together.
const OTHERS: FieldName = FieldName::new("others");

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
    vec![Arc::new(HeadersPolicy { stack: stack.clone(), address: address(), name: stack.global("site") })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let any =
        format!("arn:{}:cloudfront::{}:response-headers-policy/*", stack.identity.partition, stack.identity.account);
    vec![
        Permission::anywhere(&["cloudfront:ListResponseHeadersPolicies"]),
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

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let all = self.list().await?;
        let (found, ownership) = match all.iter().find(|one| name_of(one) == Some(&self.name)) {
            Some(found) => (found.clone(), self.stack.ownership_by_mark(comment_of(found))),
            None => match self.of_earlier_version(all, reads).await? {
                Some(found) => (found, Ownership::Ours),
                None => return Ok(None),
            },
        };
        let config = found.response_headers_policy_config.as_ref();
        let fields = config.map(views).unwrap_or_default();
        Ok(Some(Live {
            ownership,
            fields: fields.into_iter().map(|(name, value)| (name, LiveField::Known(value))).collect(),
            outputs: OutputMap::new().with("id", &found.id),
            id: found.id,
            tags: None,
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        // The configuration consists of constants and one list. If it cannot be built, `create` returns the error.
        let fields = self.config().map(|config| views(&config)).unwrap_or_default();
        fields.into_iter().map(|(name, value)| (name, Field::Known(value))).collect()
    }

    async fn create(&self, _: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        const SUMMARY: &str = "failed to create the response-headers policy";
        let call = self.stack.clients.cloudfront.create_response_headers_policy();
        let answer = call.response_headers_policy_config(self.config()?).send().await;
        let created = match answer {
            Ok(answer) => answer.response_headers_policy,
            // It exists because the response to an earlier attempt was lost; observe has ruled out an unmanaged one.
            Err(error)
                if rule!(
                    "headers-policy-create-survives-lost-answer",
                    code_of(&error) == Some("ResponseHeadersPolicyAlreadyExists")
                ) =>
            {
                self.list().await?.into_iter().find(|one| name_of(one) == Some(&self.name))
            }
            Err(error) => return Err(error).context(SUMMARY),
        };
        let created =
            created.ok_or_else(|| ResourceError::new(SUMMARY).caused_by("CloudFront returned no identifier"))?;
        Ok(OutputMap::new().with("id", created.id))
    }

    async fn update(&self, _: &ApplyContext<'_>, live: &Live, _: &Changes) -> Result<OutputMap, ResourceError> {
        const SUMMARY: &str = "failed to change the response-headers policy";
        let cloudfront = &self.stack.clients.cloudfront;
        let current = cloudfront.get_response_headers_policy().id(&live.id).send().await.context(SUMMARY)?;
        let call = cloudfront.update_response_headers_policy().id(&live.id).set_if_match(current.e_tag);
        call.response_headers_policy_config(self.config()?).send().await.context(SUMMARY)?;
        Ok(live.outputs.clone())
    }

    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        const SUMMARY: &str = "failed to delete the response-headers policy";
        let cloudfront = &self.stack.clients.cloudfront;
        retry::while_failing(
            progress,
            retry::Schedule::EDGE,
            |error| rule!("headers-policy-delete-while-busy", error.is(TRANSIENT)),
            || async {
                let current = cloudfront.get_response_headers_policy().id(&live.id).send().await;
                let Some(current) = current.found(GONE, SUMMARY)? else { return Ok(()) };
                let call = cloudfront.delete_response_headers_policy().id(&live.id).set_if_match(current.e_tag);
                let answer = call.send().await;
                answer.found(rule!("headers-policy-delete-survives-absence", GONE), SUMMARY).map(|_| ())
            },
        )
        .await
    }
}

impl HeadersPolicy {
    /// Lists the policies of the account. CloudFront's own ones are not among them.
    async fn list(&self) -> Result<Vec<ResponseHeadersPolicy>, ResourceError> {
        let mut all = Vec::new();
        let mut marker = None;
        loop {
            let call = self.stack.clients.cloudfront.list_response_headers_policies();
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

    /// Returns the policy that an earlier version created, without the region in its name, for this stack.
    async fn of_earlier_version(
        &self,
        all: Vec<ResponseHeadersPolicy>,
        reads: &SharedReads,
    ) -> Result<Option<ResponseHeadersPolicy>, ResourceError> {
        let (name, mark) = (self.stack.named("site"), self.stack.mark());
        let is_earlier = |one: &ResponseHeadersPolicy| name_of(one) == Some(&name) && comment_of(one) == Some(&mark);
        let Some(found) = all.into_iter().find(is_earlier) else { return Ok(None) };
        let uses = |one: &DistributionSummary| {
            let pages = one.default_cache_behavior.as_ref();
            pages.and_then(|pages| pages.response_headers_policy_id()) == Some(&found.id)
        };
        let ours = distributions::is_used_by_us_alone(&self.stack, reads, uses).await?;
        Ok(Some(found).filter(|_| ours))
    }

    fn config(&self) -> Result<ResponseHeadersPolicyConfig, ResourceError> {
        const SUMMARY: &str = "failed to build the response-headers policy";
        let content_security = headers::content_security_policy(&self.stack.connect_origins());
        let content_security = ResponseHeadersPolicyContentSecurityPolicy::builder()
            .r#override(true)
            .content_security_policy(content_security)
            .build()
            .context(SUMMARY)?;
        let transport = ResponseHeadersPolicyStrictTransportSecurity::builder()
            .r#override(true)
            .include_subdomains(self.stack.config.site.hsts_subdomains)
            .preload(false)
            .access_control_max_age_sec(headers::STRICT_TRANSPORT_MAX_AGE_SECONDS)
            .build()
            .context(SUMMARY)?;
        let referrer = ResponseHeadersPolicyReferrerPolicy::builder()
            .r#override(true)
            .referrer_policy(ReferrerPolicyList::from(headers::REFERRER_POLICY))
            .build()
            .context(SUMMARY)?;
        let frames = ResponseHeadersPolicyFrameOptions::builder()
            .r#override(true)
            .frame_option(FrameOptionsList::from(headers::FRAME_OPTIONS))
            .build()
            .context(SUMMARY)?;
        let types = ResponseHeadersPolicyContentTypeOptions::builder().r#override(true).build().context(SUMMARY)?;
        let security = ResponseHeadersPolicySecurityHeadersConfig::builder()
            .content_security_policy(content_security)
            .strict_transport_security(transport)
            .referrer_policy(referrer)
            .frame_options(frames)
            .content_type_options(types)
            .build();
        let custom = headers::CUSTOM.iter().map(|(name, value)| {
            ResponseHeadersPolicyCustomHeader::builder().header(*name).value(*value).r#override(true).build()
        });
        let custom = custom.collect::<Result<Vec<_>, _>>().context(SUMMARY)?;
        let custom = ResponseHeadersPolicyCustomHeadersConfig::builder()
            .quantity(i32::try_from(custom.len()).unwrap_or(i32::MAX))
            .set_items(Some(custom))
            .build()
            .context(SUMMARY)?;
        ResponseHeadersPolicyConfig::builder()
            .name(&self.name)
            .comment(self.stack.global_mark())
            .security_headers_config(security)
            .custom_headers_config(custom)
            .build()
            .context(SUMMARY)
    }
}

fn name_of(policy: &ResponseHeadersPolicy) -> Option<&String> {
    policy.response_headers_policy_config.as_ref().map(|config| &config.name)
}

fn comment_of(policy: &ResponseHeadersPolicy) -> Option<&str> {
    policy.response_headers_policy_config.as_ref().and_then(|config| config.comment())
}

/// Returns the name, one field per managed header and one for all custom headers, so that an unmanaged one is a difference. A
/// header that does not override the origin's counts as absent.
fn views(config: &ResponseHeadersPolicyConfig) -> FieldMap<Value> {
    let security = config.security_headers_config.as_ref();
    let policy = security.and_then(|all| all.content_security_policy.as_ref()).filter(|header| header.r#override);
    let transport = security.and_then(|all| all.strict_transport_security.as_ref()).filter(|header| header.r#override);
    let referrer = security.and_then(|all| all.referrer_policy.as_ref()).filter(|header| header.r#override);
    let frames = security.and_then(|all| all.frame_options.as_ref()).filter(|header| header.r#override);
    let types = security.and_then(|all| all.content_type_options.as_ref()).filter(|header| header.r#override);
    let transport = transport.map(|header| {
        let subdomains = if header.include_subdomains == Some(true) { "; includeSubDomains" } else { "" };
        let preload = if header.preload == Some(true) { "; preload" } else { "" };
        format!("max-age={}{subdomains}{preload}", header.access_control_max_age_sec)
    });
    let custom = config.custom_headers_config.as_ref().and_then(|custom| custom.items.clone()).unwrap_or_default();
    let custom: BTreeMap<String, String> = custom.into_iter().map(|header| (header.header, header.value)).collect();
    FieldMap::new()
        .with(POLICY_NAME, config.name.as_str())
        .with(CONTENT_SECURITY_POLICY, policy.map(|header| header.content_security_policy.as_str()))
        .with(STRICT_TRANSPORT_SECURITY, transport)
        .with(REFERRER_POLICY, referrer.map(|header| header.referrer_policy.as_str()))
        .with(FRAME_OPTIONS, frames.map(|header| header.frame_option.as_str()))
        .with(CONTENT_TYPE_OPTIONS, types.map(|_| "nosniff"))
        .with(OTHERS, json!(custom))
}
