//! Tells the distribution which pages have changed. Not a resource: nothing of it stays.
//!
//! It is asked for and not waited for: everything but the pages themselves is cached for a minute at most, and pages
//! are never used without asking. So it never fails an `up`; what went wrong is said.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudfront::types::{InvalidationBatch, Paths};

use super::cloudfront_distribution;
use crate::stack::Stack;
use peersync_aws::Context as _;
use peersync_engine::{Progress, ResourceError};

/// More paths than this are said as "everything", which counts as one.
const MANY: usize = 30;
/// How long the request may take, all its attempts together.
const DEADLINE: Duration = Duration::from_secs(20);

/// Asks the distribution to forget these keys.
pub(super) async fn request(stack: &Stack, progress: &Progress, keys: Vec<String>) {
    let paths = paths(&keys);
    if paths.is_empty() {
        return;
    }
    let reason = match tokio::time::timeout(DEADLINE, send(stack, &paths)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.causes().first().cloned().unwrap_or(error.summary),
        Err(_) => "the request took too long".to_owned(),
    };
    progress.waiting(format!("the edge to forget the old pages by itself within a minute: asking it failed: {reason}"));
}

async fn send(stack: &Stack, paths: &[String]) -> Result<(), ResourceError> {
    const SUMMARY: &str = "failed to tell the distribution what has changed";
    let Some(distribution) = cloudfront_distribution::find(stack).await? else { return Ok(()) };
    let quantity = i32::try_from(paths.len()).unwrap_or(i32::MAX);
    let paths = Paths::builder().quantity(quantity).set_items(Some(paths.to_vec())).build().context(SUMMARY)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let batch = InvalidationBatch::builder().paths(paths).caller_reference(format!("{}", now.as_nanos()));
    let call = stack.clients.cloudfront.create_invalidation().distribution_id(distribution.id);
    call.invalidation_batch(batch.build().context(SUMMARY)?).send().await.context(SUMMARY).map(|_| ())
}

/// The paths of these keys as CloudFront wants them; the default page is also the root.
fn paths(keys: &[String]) -> Vec<String> {
    if keys.len() > MANY {
        return vec!["/*".to_owned()];
    }
    let mut paths: BTreeSet<String> = keys.iter().map(|key| format!("/{}", encoded(key))).collect();
    if paths.contains("/index.html") {
        paths.insert("/".to_owned());
    }
    paths.into_iter().collect()
}

fn encoded(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    key.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_goes_with_its_page_and_many_are_all() {
        assert_eq!(paths(&["index.html".to_owned(), "a b.js".to_owned()]), ["/", "/a%20b.js", "/index.html"]);
        assert_eq!(paths(&vec!["x".to_owned(); MANY + 1]), ["/*"]);
        assert!(paths(&[]).is_empty());
    }
}
