//! The headers as CloudFront takes them, and as a plan compares them.

use std::collections::BTreeMap;

use aws_sdk_cloudfront::types::{
    FrameOptionsList, ReferrerPolicyList, ResponseHeadersPolicy, ResponseHeadersPolicyConfig,
    ResponseHeadersPolicyContentSecurityPolicy, ResponseHeadersPolicyContentTypeOptions,
    ResponseHeadersPolicyCustomHeader, ResponseHeadersPolicyCustomHeadersConfig, ResponseHeadersPolicyFrameOptions,
    ResponseHeadersPolicyReferrerPolicy, ResponseHeadersPolicySecurityHeadersConfig,
    ResponseHeadersPolicyStrictTransportSecurity,
};
use serde_json::{Value, json};

use super::POLICY_NAME;
use crate::security_headers as headers;
use crate::stack::{SHARED_MARK, Stack};
use peersync_aws::Context as _;
use peersync_engine::{FieldMap, FieldName, ResourceError};

const CONTENT_SECURITY_POLICY: FieldName = FieldName::new("content-security-policy");
const STRICT_TRANSPORT_SECURITY: FieldName = FieldName::new("strict-transport-security");
const REFERRER_POLICY: FieldName = FieldName::new("referrer-policy");
const FRAME_OPTIONS: FieldName = FieldName::new("x-frame-options");
const CONTENT_TYPE_OPTIONS: FieldName = FieldName::new("x-content-type-options");
/// All custom headers together.
const OTHERS: FieldName = FieldName::new("others");
/// The fields that are headers.
pub(super) const HEADERS: &[FieldName] =
    &[CONTENT_SECURITY_POLICY, STRICT_TRANSPORT_SECURITY, REFERRER_POLICY, FRAME_OPTIONS, CONTENT_TYPE_OPTIONS, OTHERS];

/// Returns the name of the policy, which depends on nothing but its headers. `connect` are the origins to which it lets pages
/// connect besides their own.
pub(super) fn name(stack: &Stack, connect: &[String]) -> String {
    // If it cannot be built, creating it returns the error.
    let mut content = build(stack, "", connect).map(|config| views(&config)).unwrap_or_default();
    content.remove(POLICY_NAME.as_str());
    let content: BTreeMap<String, Value> = content.into_iter().collect();
    Stack::shared(&json!(content).to_string())
}

/// Returns the origins to which a policy lets pages connect besides their own.
pub(super) fn connect_origins(policy: &ResponseHeadersPolicy) -> Vec<String> {
    let security =
        policy.response_headers_policy_config.as_ref().and_then(|config| config.security_headers_config.as_ref());
    let content = security.and_then(|security| security.content_security_policy.as_ref());
    content.map(|content| headers::connect_origins(&content.content_security_policy)).unwrap_or_default()
}

/// Builds the configuration of the policy with a name.
pub(super) fn build(
    stack: &Stack,
    name: &str,
    connect: &[String],
) -> Result<ResponseHeadersPolicyConfig, ResourceError> {
    const SUMMARY: &str = "failed to build the response-headers policy";
    let content_security = headers::content_security_policy(connect);
    let content_security = ResponseHeadersPolicyContentSecurityPolicy::builder()
        .r#override(true)
        .content_security_policy(content_security)
        .build()
        .context(SUMMARY)?;
    let transport = ResponseHeadersPolicyStrictTransportSecurity::builder()
        .r#override(true)
        .include_subdomains(stack.config.site.hsts_subdomains)
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
        .name(name)
        .comment(SHARED_MARK)
        .security_headers_config(security)
        .custom_headers_config(custom)
        .build()
        .context(SUMMARY)
}

/// Returns the name, one field per managed header and one for all custom headers, so that an unmanaged one is a difference. A
/// header that does not override the origin's counts as absent.
pub(super) fn views(config: &ResponseHeadersPolicyConfig) -> FieldMap<Value> {
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

#[cfg(test)]
mod tests {
    use peersync_config::Config;

    use super::*;

    #[tokio::test]
    async fn subdomains_need_https_only_if_the_configuration_says_so() {
        for (subdomains, expected) in [(false, "max-age=63072000"), (true, "max-age=63072000; includeSubDomains")] {
            let mut config = Config::default();
            config.site.hsts_subdomains = subdomains;
            let stack = Stack::for_tests(config).await;
            let built = build(&stack, "name", &stack.connect_origins()).expect("the constants are complete");
            assert_eq!(views(&built).get(STRICT_TRANSPORT_SECURITY.as_str()), Some(&json!(expected)));
        }
    }
}
