//! The way in of before, when it changes: at first the edge lets pages in both ways, so that those that are told the former
//! one still get in. Once nobody is told of it any more, and its host has ended, the edge forgets it.

use aws_sdk_cloudfront::types::{DistributionConfig, Origin, OriginProtocolPolicy};

use super::config::{self, SIGNAL_ORIGIN};
use super::key_change::is_deployed;
use crate::kinds::response_headers_policy;
use crate::stack::Stack;
use peersync_aws::retry;
use peersync_engine::{Progress, ResourceError, rule};
use serde_json::Value;

/// Returns the response-headers policy that lets pages connect to both; `None` if the stack's own does.
pub(super) async fn policy(stack: &Stack, current: &DistributionConfig) -> Result<Option<String>, ResourceError> {
    let pages = current.default_cache_behavior.as_ref();
    match pages.and_then(|pages| pages.response_headers_policy_id()).filter(|id| !id.is_empty()) {
        Some(used) => response_headers_policy::provide_for_both(stack, used).await,
        None => Ok(None),
    }
}

/// Puts the host and its path, if the distribution has them, into a configuration that no longer does, or in place of a host
/// that is reached otherwise: by TLS, or by another name. A host that was reached by TLS is not: it serves without TLS too,
/// and the next one does not end any. The header with the origin key is the new one.
pub(super) fn keep_host(config: &mut DistributionConfig, current: &DistributionConfig) {
    let origin = current.origins.iter().flat_map(|all| &all.items).find(|origin| origin.id == SIGNAL_ORIGIN);
    let behaviors = current.cache_behaviors.iter().flat_map(|all| all.items());
    let behavior = behaviors.into_iter().find(|behavior| behavior.target_origin_id == SIGNAL_ORIGIN);
    let (Some(origins), Some(paths)) = (&mut config.origins, &mut config.cache_behaviors) else { return };
    let Some(origin) = origin else { return };
    if let Some(new) = origins.items.iter_mut().find(|origin| origin.id == SIGNAL_ORIGIN) {
        if rule!("edge-leaves-tls-before-the-host", is_encrypted(origin) && !is_encrypted(new)) {
            return;
        }
        new.domain_name.clone_from(&origin.domain_name);
        new.custom_origin_config.clone_from(&origin.custom_origin_config);
    } else if let Some(behavior) = behavior {
        origins.items.push(origin.clone());
        origins.quantity += 1;
        paths.items.get_or_insert_default().push(behavior.clone());
        paths.quantity += 1;
    }
}

/// Returns whether CloudFront reaches an origin by TLS.
fn is_encrypted(origin: &Origin) -> bool {
    let policy = origin.custom_origin_config.as_ref().map(|custom| &custom.origin_protocol_policy);
    policy == Some(&OriginProtocolPolicy::HttpsOnly)
}

/// Returns whether two configurations are the same in all that the stack manages.
pub(super) fn are_alike(one: &DistributionConfig, other: &DistributionConfig) -> bool {
    let views = config::views::<Value>;
    views(one) == views(other) && config::origin_key(one) == config::origin_key(other)
}

/// Waits until the whole edge lets pages in the new way too.
///
/// # Errors
/// The distribution cannot be read, or the change has not arrived within the deadline.
pub async fn until_open(stack: &Stack, progress: &Progress, id: &str) -> Result<(), ResourceError> {
    let reason = "the whole edge to open the way to the new signaling host, which takes several minutes";
    retry::until(progress, retry::Schedule::EDGE, reason, || async {
        let is_open = is_deployed(stack, id).await?;
        Ok(rule!("edge-open-before-takeover", is_open, without: true).then_some(()))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::cloudfront_distribution::config::Origins;
    use peersync_config::{Config, Ingress};

    async fn built(ingress: Ingress) -> DistributionConfig {
        named(ingress, None, "key").await
    }

    async fn named(ingress: Ingress, domain: Option<&str>, key: &str) -> DistributionConfig {
        let mut config = Config { stage: "test".to_owned(), ..Config::default() };
        (config.signaling.ingress, config.signaling.domain) = (ingress, domain.map(str::to_owned));
        let origins = Origins { signal: Some(domain.unwrap_or("ec2.example").to_owned()), ..Origins::default() };
        config::build(&*Stack::for_tests(config).await, &origins, key).unwrap()
    }

    #[tokio::test]
    async fn host_of_before_stays_in_place_of_one_that_is_reached_by_tls_or_by_another_name() {
        let domains = [None, Some("a.example.org"), Some("b.example.org")];
        for (former, new) in domains.into_iter().flat_map(|former| domains.map(|new| (former, new))) {
            let current = named(Ingress::Cloudfront, former, "key").await;
            let mut config = named(Ingress::Cloudfront, new, "key").await;
            keep_host(&mut config, &current);
            // The edge stops to speak TLS before the host does, and begins after it.
            let kept = if new.is_none() { None } else { former };
            assert_eq!(config, named(Ingress::Cloudfront, kept, "key").await, "{former:?} {new:?}");
            let mut config = named(Ingress::Cloudfront, new, "new key").await;
            keep_host(&mut config, &current);
            assert_eq!(config, named(Ingress::Cloudfront, kept, "new key").await, "{former:?} {new:?}");
        }
    }

    #[tokio::test]
    async fn host_of_before_stays_with_its_path_until_it_is_removed() {
        let (with, without) = (built(Ingress::Cloudfront).await, built(Ingress::Cloudflare).await);
        assert!(!are_alike(&with, &without));
        let mut both = without.clone();
        keep_host(&mut both, &with);
        assert!(are_alike(&both, &with));
        assert_eq!(both, with);
        for (mut config, current) in [(with.clone(), &with), (with.clone(), &without), (without.clone(), &without)] {
            let before = config.clone();
            keep_host(&mut config, current);
            assert_eq!(config, before, "nothing is added");
        }
    }
}
