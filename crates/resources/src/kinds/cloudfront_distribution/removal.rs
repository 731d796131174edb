//! The long way out of a distribution: turned off, spread over the edge, deleted.

use aws_sdk_cloudfront::Client;

use peersync_aws::{NotFound as _, retry};
use peersync_engine::{Progress, ResourceError};

const GONE: &str = "NoSuchDistribution";
/// Status of a distribution whose last change has reached the whole edge.
const DEPLOYED: &str = "Deployed";
/// What passes by itself: a change of somebody else in between, and an edge that is not that far.
const PASSING: &[&str] = &["PreconditionFailed", "InvalidIfMatchVersion", "DistributionNotDisabled", "ResourceInUse"];

/// Disables and deletes the distribution; succeeds where it is already gone. Takes minutes.
pub(super) async fn remove(cloudfront: &Client, progress: &Progress, id: &str) -> Result<(), ResourceError> {
    let passes = |error: &ResourceError| error.is(PASSING);
    retry::while_failing(progress, retry::Schedule::EDGE, passes, || async {
        disable(cloudfront, id).await?;
        let reason = "the distribution to be off everywhere, which takes some minutes";
        retry::until(progress, retry::Schedule::EDGE, reason, || is_off(cloudfront, id)).await?;
        delete(cloudfront, id).await
    })
    .await
}

/// Sends the live configuration with its entity tag and `Enabled` off, where it is on.
async fn disable(cloudfront: &Client, id: &str) -> Result<(), ResourceError> {
    const SUMMARY: &str = "failed to turn off the distribution";
    let current = cloudfront.get_distribution_config().id(id).send().await;
    let Some(current) = current.found(&[GONE], SUMMARY)? else { return Ok(()) };
    let Some(mut config) = current.distribution_config.filter(|config| config.enabled) else { return Ok(()) };
    config.enabled = false;
    let call = cloudfront.update_distribution().id(id).set_if_match(current.e_tag).distribution_config(config);
    call.send().await.found(&[GONE], SUMMARY).map(|_| ())
}

/// Something once it is disabled everywhere, or gone.
async fn is_off(cloudfront: &Client, id: &str) -> Result<Option<()>, ResourceError> {
    let answer = cloudfront.get_distribution().id(id).send().await;
    let answer = answer.found(&[GONE], "failed to look at the distribution")?;
    let Some(distribution) = answer.and_then(|answer| answer.distribution) else { return Ok(Some(())) };
    Ok((distribution.status == DEPLOYED).then_some(()))
}

/// With an entity tag read anew: the one of the update may be old by now.
async fn delete(cloudfront: &Client, id: &str) -> Result<(), ResourceError> {
    const SUMMARY: &str = "failed to delete the distribution";
    let current = cloudfront.get_distribution().id(id).send().await;
    let Some(current) = current.found(&[GONE], SUMMARY)? else { return Ok(()) };
    let call = cloudfront.delete_distribution().id(id).set_if_match(current.e_tag);
    call.send().await.found(&[GONE], SUMMARY).map(|_| ())
}
