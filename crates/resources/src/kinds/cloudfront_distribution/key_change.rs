//! How the distribution changes to another origin key without a request that the API or the signaling server does not
//! recognise: the key that it sends becomes the previous one, which they accept too; once they know both, the
//! distribution changes; once the whole edge sends the new one, the previous one is deleted.

use std::time::{Duration, Instant};

use aws_sdk_cloudfront::types::DistributionConfig;

use super::config;
use crate::kinds::distributions;
use crate::kinds::parameter_store::{self, ORIGIN_KEY};
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _, retry};
use peersync_engine::{ApplyContext, Progress, ResourceError, rule};
use peersync_server::secrets::SETTLED_SECONDS;

const GONE: &[&str] = &["NoSuchDistribution"];
/// The status of a distribution whose last change has reached the whole edge.
const DEPLOYED: &str = "Deployed";

/// A change that has begun.
pub(super) struct KeyChange {
    /// Whether a previous key is kept.
    has_previous: bool,
}

/// Keeps the key that the distribution sends as the previous one, and waits until everybody knows it and the new one.
/// If it sends none, nothing works that could be interrupted, and nothing is waited for.
pub(super) async fn begin(stack: &Stack, context: &ApplyContext<'_>, id: &str) -> Result<KeyChange, ResourceError> {
    let new = context.outputs.require(&parameter_store::address(ORIGIN_KEY), "value")?;
    let answer = stack.clients.cloudfront.get_distribution_config().id(id).send().await;
    let answer = answer.context("failed to read the distribution")?;
    let sent = answer.distribution_config.as_ref().and_then(|config| well_formed_key(config, new));
    let Some(sent) = sent else { return Ok(KeyChange { has_previous: false }) };
    rule!("previous-origin-key-is-kept" => {
        parameter_store::put_previous(stack, ORIGIN_KEY, &sent, context.tags).await?;
    });
    rule!("origin-key-known-before-distribution" => {
        let (began, settled) = (Instant::now(), Duration::from_secs(SETTLED_SECONDS.unsigned_abs()));
        let reason = "the functions and the signaling host to know the new origin key, which takes a minute";
        retry::until(context.progress, retry::Schedule::STATE, reason, || async {
            Ok((began.elapsed() >= settled).then_some(()))
        })
        .await?;
    });
    Ok(KeyChange { has_previous: true })
}

impl KeyChange {
    /// Waits until the whole edge sends the new key, and deletes the previous one.
    pub(super) async fn end(self, stack: &Stack, progress: &Progress) -> Result<(), ResourceError> {
        if !self.has_previous {
            return Ok(());
        }
        until_deployed(stack, progress).await?;
        parameter_store::delete_previous(stack, ORIGIN_KEY).await
    }
}

/// Returns the origin key that the stack's distribution sends; `None` without a distribution, or if it sends none that
/// could have been generated.
///
/// # Errors
/// The distribution cannot be read.
pub async fn sent_key(stack: &Stack) -> Result<Option<String>, ResourceError> {
    let Some(found) = distributions::find(stack).await? else { return Ok(None) };
    let answer = stack.clients.cloudfront.get_distribution_config().id(&found.id).send().await;
    let answer = answer.found(GONE, "failed to read the distribution")?;
    Ok(answer.and_then(|answer| answer.distribution_config).and_then(|config| well_formed_key(&config, "")))
}

/// Waits until the last change of the stack's distribution has reached the whole edge. Returns at once without a
/// distribution.
///
/// # Errors
/// The distribution cannot be read, or the change has not arrived within the deadline.
pub async fn until_deployed(stack: &Stack, progress: &Progress) -> Result<(), ResourceError> {
    let Some(found) = distributions::find(stack).await? else { return Ok(()) };
    let reason = "the whole edge to send the new origin key, which takes several minutes";
    retry::until(progress, retry::Schedule::EDGE, reason, || async {
        let deployed = is_deployed(stack, &found.id).await?;
        Ok(rule!("origin-key-deployed-before-previous-is-deleted", deployed, without: true).then_some(()))
    })
    .await
}

/// Returns whether the last change of a distribution has reached the whole edge, or there is none to wait for.
///
/// # Errors
/// The distribution cannot be read.
pub async fn is_deployed(stack: &Stack, id: &str) -> Result<bool, ResourceError> {
    let answer = stack.clients.cloudfront.get_distribution().id(id).send().await;
    let answer = answer.found(GONE, "failed to read the distribution")?;
    Ok(answer.and_then(|answer| answer.distribution).is_none_or(|distribution| distribution.status == DEPLOYED))
}

/// Returns the first key that an origin receives and that has the form of a generated one, other than `new`.
fn well_formed_key(config: &DistributionConfig, new: &str) -> Option<String> {
    let keys = config::origin_key(config);
    keys.split(',').find(|key| *key != new && parameter_store::is_key(key)).map(str::to_owned)
}
