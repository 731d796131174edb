//! Removal of a distribution: it is disabled, then the change is deployed to the whole edge, then it is deleted.

use aws_sdk_cloudfront::Client;

use peersync_aws::{NotFound as _, retry};
use peersync_engine::{Progress, ResourceError, rule};

const GONE: &[&str] = &["NoSuchDistribution"];
/// The status of a distribution whose last change has reached the whole edge.
const DEPLOYED: &str = "Deployed";
/// Transient error codes: a concurrent change, and a change that has not reached the whole edge.
const PASSING: &[&str] = &["PreconditionFailed", "InvalidIfMatchVersion", "DistributionNotDisabled", "ResourceInUse"];

/// Disables and deletes the distribution; succeeds if it does not exist. Takes minutes.
pub(super) async fn remove(cloudfront: &Client, progress: &Progress, id: &str) -> Result<(), ResourceError> {
    let is_transient = |error: &ResourceError| rule!("distribution-delete-while-busy", error.is(PASSING));
    retry::while_failing(progress, retry::Schedule::EDGE, is_transient, || async {
        rule!("distribution-disabled-before-delete" => {
            disable(cloudfront, id).await?;
        });
        rule!("distribution-deployed-before-delete" => {
            let reason = "the distribution to be disabled everywhere, which takes several minutes";
            retry::until(progress, retry::Schedule::EDGE, reason, || is_off(cloudfront, id)).await?;
        });
        delete(cloudfront, id).await
    })
    .await
}

/// Disables the distribution if it is enabled, and changes nothing else of its configuration.
async fn disable(cloudfront: &Client, id: &str) -> Result<(), ResourceError> {
    const SUMMARY: &str = "failed to disable the distribution";
    let current = cloudfront.get_distribution_config().id(id).send().await;
    let Some(current) = current.found(GONE, SUMMARY)? else { return Ok(()) };
    let Some(mut config) = current.distribution_config.filter(|config| config.enabled) else { return Ok(()) };
    config.enabled = false;
    let call = cloudfront.update_distribution().id(id).set_if_match(current.e_tag).distribution_config(config);
    call.send().await.found(GONE, SUMMARY).map(|_| ())
}

/// Returns `Some` once the distribution is disabled everywhere or no longer exists.
async fn is_off(cloudfront: &Client, id: &str) -> Result<Option<()>, ResourceError> {
    let answer = cloudfront.get_distribution().id(id).send().await;
    let answer = answer.found(GONE, "failed to read the distribution")?;
    let Some(distribution) = answer.and_then(|answer| answer.distribution) else { return Ok(Some(())) };
    Ok((distribution.status == DEPLOYED).then_some(()))
}

/// Deletes the distribution. Reads its entity tag again, because that of the update may be outdated.
async fn delete(cloudfront: &Client, id: &str) -> Result<(), ResourceError> {
    const SUMMARY: &str = "failed to delete the distribution";
    let current = cloudfront.get_distribution().id(id).send().await;
    let Some(current) = current.found(GONE, SUMMARY)? else { return Ok(()) };
    let call = cloudfront.delete_distribution().id(id).set_if_match(current.e_tag);
    let gone = rule!("distribution-delete-survives-absence", GONE);
    call.send().await.found(gone, SUMMARY).map(|_| ())
}
