//! The desired configuration of the distribution in the SDK's types, and a view of it for comparison and display.

use std::collections::BTreeSet;

use aws_sdk_cloudfront::types::{
    Aliases, AllowedMethods, CacheBehavior, CacheBehaviors, CachedMethods, CustomHeaders, CustomOriginConfig,
    DefaultCacheBehavior, DistributionConfig, FunctionAssociations, HttpVersion, LambdaFunctionAssociations, Method,
    MinimumProtocolVersion, Origin, OriginCustomHeader, OriginProtocolPolicy, OriginSslProtocols,
    Origins as SdkOrigins, PriceClass, S3OriginConfig, SslProtocol, SslSupportMethod, ViewerCertificate,
    ViewerProtocolPolicy,
};
use aws_smithy_types::error::operation::BuildError;
use serde_json::{Value, json};

use super::errors;
use crate::kinds::distributions::bucket_domain;
use crate::stack::{DNS_SUFFIX, EDGE_PORT, Stack};
use peersync_aws::Context as _;
use peersync_config::Ingress;
use peersync_engine::{FieldMap, FieldName, ResourceError};

const COMMENT: FieldName = FieldName::new("comment");
const ENABLED: FieldName = FieldName::new("enabled");
/// The page at `/`.
const DEFAULT_ROOT_OBJECT: FieldName = FieldName::new("default_root_object");
/// The custom domain, if there is one.
const ALIASES: FieldName = FieldName::new("aliases");
/// The servers behind the distribution.
pub(super) const ORIGINS: FieldName = FieldName::new("origins");
/// The cache behaviour of the pages, which refers to the response-headers policy.
pub(super) const PAGES: FieldName = FieldName::new("pages");
/// The cache behaviours of all other paths.
pub(super) const BEHAVIORS: FieldName = FieldName::new("behaviors");
/// What is done with errors of the servers, by status.
const ERRORS: FieldName = FieldName::new("errors");
pub(super) const PRICE_CLASS: FieldName = FieldName::new("price_class");
/// The certificate and its minimum version of TLS.
const CERTIFICATE: FieldName = FieldName::new("certificate");
const HTTP_VERSION: FieldName = FieldName::new("http_version");
const IPV6: FieldName = FieldName::new("ipv6");

/// The managed cache policy "CachingOptimized": its key is the path alone, and it follows the origin's `cache-control`.
/// The identifiers are from "Use managed cache policies" in the CloudFront developer guide.
const CACHING_OPTIMIZED: &str = "658327ea-f89d-4fab-a63d-7e88639e58f6";
/// The managed cache policy "CachingDisabled".
const CACHING_DISABLED: &str = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";
/// The managed origin-request policy "AllViewerExceptHostHeader": API Gateway and WebSockets need all but `host`.
const ALL_VIEWER_EXCEPT_HOST: &str = "b689b0a8-53d0-40ab-baf2-68738e2966ac";

/// The header that proves to the API and the signaling server that a request came through the distribution.
const ORIGIN_KEY_HEADER: &str = "x-peersync-origin-key";
/// The read timeout of origins in seconds: longer than a function may run, and CloudFront's maximum without a quota
/// increase.
const ORIGIN_READ_TIMEOUT: i32 = 60;
/// The number of seconds for which an idle connection to an origin is kept open.
const ORIGIN_KEEPALIVE: i32 = 60;

const PAGES_ORIGIN: &str = "pages";
const API_ORIGIN: &str = "api";
pub(super) const SIGNAL_ORIGIN: &str = "signal";

const READING: &[Method] = &[Method::Get, Method::Head];
const EVERYTHING: &[Method] =
    &[Method::Get, Method::Head, Method::Options, Method::Put, Method::Post, Method::Patch, Method::Delete];

/// The servers behind the distribution.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins {
    /// The id of the REST API.
    pub(super) api: String,
    /// The id of the origin access control.
    pub(super) access_control: String,
    /// The id of the response-headers policy; empty if there is none.
    pub(super) headers_policy: String,
    /// The name of the signaling host, if the distribution forwards the WebSocket: that of its certificate, or AWS's.
    pub(super) signal: Option<String>,
}

/// Builds the configuration, without a caller reference.
pub(super) fn build(stack: &Stack, origins: &Origins, origin_key: &str) -> Result<DistributionConfig, ResourceError> {
    build_unchecked(stack, origins, origin_key).context("failed to build the configuration of the distribution")
}

fn build_unchecked(stack: &Stack, origins: &Origins, origin_key: &str) -> Result<DistributionConfig, BuildError> {
    let site = &stack.config.site;
    let with_signal = stack.config.signaling.ingress == Ingress::Cloudfront;
    let api_domain = format!("{}.execute-api.{}.{}", origins.api, stack.clients.region, DNS_SUFFIX);
    let mut all = vec![
        pages_origin(&bucket_domain(stack), &origins.access_control)?,
        custom_origin(API_ORIGIN, &api_domain, Reached::Https(443), origin_key)?,
    ];
    let mut behaviors = vec![behind("/api/*", API_ORIGIN, EVERYTHING)?];
    if with_signal {
        let domain = origins.signal.as_deref().unwrap_or_default();
        let has_certificate = stack.config.signaling.has_certificate();
        let reached = if has_certificate { Reached::Https(EDGE_PORT) } else { Reached::Http(EDGE_PORT) };
        all.push(custom_origin(SIGNAL_ORIGIN, domain, reached, origin_key)?);
        behaviors.push(behind("/ws", SIGNAL_ORIGIN, READING)?);
    }
    DistributionConfig::builder()
        .caller_reference("")
        .comment(stack.global_mark())
        .enabled(true)
        .default_root_object("index.html")
        .aliases(counted(site.domain.iter().cloned().collect(), |count, items| {
            Aliases::builder().quantity(count).set_items(items).build()
        })?)
        .origins(SdkOrigins::builder().quantity(length(&all)).set_items(Some(all)).build()?)
        .default_cache_behavior(pages_behavior(&origins.headers_policy)?)
        .cache_behaviors(counted(behaviors, |count, items| {
            CacheBehaviors::builder().quantity(count).set_items(items).build()
        })?)
        .custom_error_responses(errors::build()?)
        .price_class(PriceClass::from(site.price_class.as_str()))
        .viewer_certificate(certificate(site.domain.is_some(), site.certificate_arn.as_deref()))
        .http_version(HttpVersion::Http2and3)
        .is_ipv6_enabled(true)
        .web_acl_id("")
        .build()
}

/// Sets the caller reference, by which CloudFront recognises a repeated creation.
pub(super) fn with_reference(mut config: DistributionConfig, reference: &str) -> DistributionConfig {
    config.caller_reference = reference.to_owned();
    config
}

/// Returns the actual configuration with the stack's settings. Settings that the stack does not manage, such as logging
/// or a firewall, stay.
pub(super) fn merged(current: DistributionConfig, ours: DistributionConfig) -> DistributionConfig {
    let mut merged = current;
    merged.comment = ours.comment;
    merged.enabled = ours.enabled;
    merged.default_root_object = ours.default_root_object;
    merged.aliases = ours.aliases;
    merged.origins = ours.origins;
    merged.default_cache_behavior = ours.default_cache_behavior;
    merged.cache_behaviors = ours.cache_behaviors;
    merged.custom_error_responses = ours.custom_error_responses;
    merged.price_class = ours.price_class;
    merged.viewer_certificate = ours.viewer_certificate;
    merged.http_version = ours.http_version;
    merged.is_ipv6_enabled = ours.is_ipv6_enabled;
    merged
}

fn pages_origin(domain: &str, access_control: &str) -> Result<Origin, BuildError> {
    Origin::builder()
        .id(PAGES_ORIGIN)
        .domain_name(domain)
        .origin_path("")
        .custom_headers(CustomHeaders::builder().quantity(0).build()?)
        .s3_origin_config(S3OriginConfig::builder().origin_access_identity("").build())
        .origin_access_control_id(access_control)
        .build()
}

/// How CloudFront reaches an origin, and at which port: 80, 443 or one from 1024 on ("Origin settings", CloudFront developer
/// guide).
#[derive(Clone, Copy)]
enum Reached {
    Http(i32),
    Https(i32),
}

fn custom_origin(id: &str, domain: &str, reached: Reached, origin_key: &str) -> Result<Origin, BuildError> {
    let (protocol, http_port, https_port) = match reached {
        Reached::Http(port) => (OriginProtocolPolicy::HttpOnly, port, 443),
        Reached::Https(port) => (OriginProtocolPolicy::HttpsOnly, 80, port),
    };
    let key = OriginCustomHeader::builder().header_name(ORIGIN_KEY_HEADER).header_value(origin_key).build()?;
    let protocols = OriginSslProtocols::builder().quantity(1).items(SslProtocol::TlSv12).build()?;
    let custom = CustomOriginConfig::builder()
        .http_port(http_port)
        .https_port(https_port)
        .origin_protocol_policy(protocol)
        .origin_ssl_protocols(protocols)
        .origin_read_timeout(ORIGIN_READ_TIMEOUT)
        .origin_keepalive_timeout(ORIGIN_KEEPALIVE)
        .build()?;
    Origin::builder()
        .id(id)
        .domain_name(domain)
        .origin_path("")
        .custom_headers(CustomHeaders::builder().quantity(1).items(key).build()?)
        .custom_origin_config(custom)
        .build()
}

fn pages_behavior(headers_policy: &str) -> Result<DefaultCacheBehavior, BuildError> {
    DefaultCacheBehavior::builder()
        .target_origin_id(PAGES_ORIGIN)
        .viewer_protocol_policy(ViewerProtocolPolicy::RedirectToHttps)
        .allowed_methods(methods(READING)?)
        .compress(true)
        .smooth_streaming(false)
        .field_level_encryption_id("")
        .lambda_function_associations(LambdaFunctionAssociations::builder().quantity(0).build()?)
        .function_associations(FunctionAssociations::builder().quantity(0).build()?)
        .cache_policy_id(CACHING_OPTIMIZED)
        .set_response_headers_policy_id(Some(headers_policy.to_owned()).filter(|id| !id.is_empty()))
        .build()
}

/// Builds a cache behaviour that forwards everything and caches nothing. Plain HTTP is rejected instead of redirected,
/// because such a request has already exposed its secrets.
fn behind(path: &str, origin: &str, allowed: &[Method]) -> Result<CacheBehavior, BuildError> {
    CacheBehavior::builder()
        .path_pattern(path)
        .target_origin_id(origin)
        .viewer_protocol_policy(ViewerProtocolPolicy::HttpsOnly)
        .allowed_methods(methods(allowed)?)
        .compress(true)
        .smooth_streaming(false)
        .field_level_encryption_id("")
        .lambda_function_associations(LambdaFunctionAssociations::builder().quantity(0).build()?)
        .function_associations(FunctionAssociations::builder().quantity(0).build()?)
        .cache_policy_id(CACHING_DISABLED)
        .origin_request_policy_id(ALL_VIEWER_EXCEPT_HOST)
        .build()
}

fn methods(allowed: &[Method]) -> Result<AllowedMethods, BuildError> {
    let cached = CachedMethods::builder().quantity(length(READING)).set_items(Some(READING.to_vec())).build()?;
    let allowed = AllowedMethods::builder().quantity(length(allowed)).set_items(Some(allowed.to_vec()));
    allowed.cached_methods(cached).build()
}

/// Builds the certificate settings. TLS 1.2 is the minimum for a custom domain; for its own domain CloudFront decides.
fn certificate(own_domain: bool, arn: Option<&str>) -> ViewerCertificate {
    match arn.filter(|_| own_domain) {
        Some(arn) => ViewerCertificate::builder()
            .acm_certificate_arn(arn)
            .ssl_support_method(SslSupportMethod::SniOnly)
            .minimum_protocol_version(MinimumProtocolVersion::TlSv122021)
            .build(),
        None => ViewerCertificate::builder().cloud_front_default_certificate(true).build(),
    }
}

fn counted<T, R>(
    items: Vec<T>,
    build: impl FnOnce(i32, Option<Vec<T>>) -> Result<R, BuildError>,
) -> Result<R, BuildError> {
    build(length(&items), Some(items).filter(|items| !items.is_empty()))
}

fn length<T>(items: &[T]) -> i32 {
    i32::try_from(items.len()).unwrap_or(i32::MAX)
}

/// Returns the managed settings as fields, in the same form for the desired and the actual configuration.
pub(super) fn views<T: From<Value>>(config: &DistributionConfig) -> FieldMap<T> {
    let aliases = config.aliases.as_ref().and_then(|aliases| aliases.items.clone()).unwrap_or_default();
    let mut origins = config.origins.as_ref().map(|origins| origins.items.clone()).unwrap_or_default();
    origins.sort_by(|first, second| first.id.cmp(&second.id));
    let behaviors = config.cache_behaviors.as_ref().and_then(|all| all.items.as_deref()).unwrap_or_default();
    FieldMap::new()
        .with(COMMENT, json!(config.comment))
        .with(ENABLED, json!(config.enabled))
        .with(DEFAULT_ROOT_OBJECT, json!(config.default_root_object))
        .with(ALIASES, json!(aliases))
        .with(ORIGINS, Value::from_iter(origins.iter().map(origin_view)))
        .with(PAGES, json!(config.default_cache_behavior.as_ref().map(pages_view)))
        .with(BEHAVIORS, Value::from_iter(behaviors.iter().map(behavior_view)))
        .with(ERRORS, errors::view(config.custom_error_responses.as_ref()))
        .with(PRICE_CLASS, json!(config.price_class.as_ref().map(PriceClass::as_str)))
        .with(CERTIFICATE, certificate_view(config.viewer_certificate.as_ref()))
        .with(HTTP_VERSION, json!(config.http_version.as_ref().map(|version| version.as_str().to_lowercase())))
        .with(IPV6, json!(config.is_ipv6_enabled))
}

/// Returns the keys that the servers behind the distribution receive, each once, joined; empty for one that receives none, so
/// that a missing one is a difference, and another number of servers is not.
pub(super) fn origin_key(config: &DistributionConfig) -> String {
    let origins = config.origins.iter().flat_map(|origins| &origins.items);
    let servers = origins.filter(|origin| origin.custom_origin_config.is_some());
    let key_of = |origin: &Origin| {
        let mut headers = origin.custom_headers.iter().flat_map(CustomHeaders::items);
        let header = headers.find(|header| header.header_name.eq_ignore_ascii_case(ORIGIN_KEY_HEADER));
        header.map(|header| header.header_value.clone()).unwrap_or_default()
    };
    let keys: BTreeSet<String> = servers.map(key_of).collect();
    Vec::from_iter(keys).join(",")
}

fn origin_view(origin: &Origin) -> Value {
    let custom = origin.custom_origin_config.as_ref().map(|custom| {
        let protocols: Vec<&str> =
            custom.origin_ssl_protocols.iter().flat_map(|all| &all.items).map(SslProtocol::as_str).collect();
        json!({
            "protocol": custom.origin_protocol_policy.as_str(),
            "http_port": custom.http_port,
            "https_port": custom.https_port,
            "tls": protocols,
            "read_timeout_s": custom.origin_read_timeout,
            "keepalive_s": custom.origin_keepalive_timeout,
        })
    });
    json!({
        "id": origin.id,
        "domain": origin.domain_name,
        "path": origin.origin_path.as_deref().unwrap_or_default(),
        "access_control": origin.origin_access_control_id.as_deref().unwrap_or_default(),
        "custom": custom,
    })
}

/// Returns the view of a cache behaviour. A macro because the two types of behaviour share fields, but no trait.
macro_rules! view_of_behavior {
    ($behavior:expr, $path:expr) => {{
        let behavior = $behavior;
        let mut methods: Vec<&str> =
            behavior.allowed_methods.iter().flat_map(|all| &all.items).map(Method::as_str).collect();
        methods.sort_unstable();
        json!({
            "path": $path,
            "origin": behavior.target_origin_id,
            "viewers": behavior.viewer_protocol_policy.as_str(),
            "methods": methods.join(" "),
            "compress": behavior.compress,
            "cache_policy": behavior.cache_policy_id.as_deref().unwrap_or_default(),
            "request_policy": behavior.origin_request_policy_id.as_deref().unwrap_or_default(),
            "headers_policy": behavior.response_headers_policy_id.as_deref().unwrap_or_default(),
        })
    }};
}

fn pages_view(behavior: &DefaultCacheBehavior) -> Value {
    view_of_behavior!(behavior, "*")
}

fn behavior_view(behavior: &CacheBehavior) -> Value {
    view_of_behavior!(behavior, behavior.path_pattern.as_str())
}

fn certificate_view(certificate: Option<&ViewerCertificate>) -> Value {
    let own = certificate.and_then(|certificate| certificate.acm_certificate_arn.as_deref());
    match (certificate, own) {
        (Some(certificate), Some(arn)) => json!({
            "arn": arn,
            "least": certificate.minimum_protocol_version.as_ref().map(MinimumProtocolVersion::as_str),
        }),
        _ => json!("CloudFront's own"),
    }
}
