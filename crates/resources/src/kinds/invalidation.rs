//! Invalidates files in CloudFront's caches that were repaired under their names. Not a resource, because nothing of it
//! remains.
//!
//! A new release needs none: its files have new names, and the pages that name them are revalidated. What somebody else has
//! put into the bucket may be cached for as long as its headers say, or for a year in the folder of a release. The invalidation
//! is requested but not awaited.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudfront::types::{InvalidationBatch, Paths};

use super::distributions;
use crate::stack::Stack;
use peersync_aws::Context as _;
use peersync_engine::ResourceError;

/// The number of paths above which everything is invalidated, which CloudFront counts as one path.
const MANY: usize = 30;
const SUMMARY: &str = "failed to invalidate the repaired pages in the distribution";
/// The timeout of the request, all attempts included.
const DEADLINE: Duration = Duration::from_secs(20);

/// Requests an invalidation of these keys.
pub(super) async fn request(stack: &Stack, keys: Vec<String>) -> Result<(), ResourceError> {
    let paths = paths(&keys);
    if paths.is_empty() || stack.clients.absent.contains_key("cloudfront") {
        return Ok(());
    }
    let sent = tokio::time::timeout(DEADLINE, send(stack, &paths)).await;
    let timed_out = || Err(ResourceError::new(SUMMARY).caused_by(format!("timed out after {} s", DEADLINE.as_secs())));
    sent.unwrap_or_else(|_| timed_out()).map_err(|error| {
        error.hint(
            "the files in the bucket are repaired, but the edge may still serve those before: run \
             `aws cloudfront create-invalidation --distribution-id ID --paths '/*'` with the ID that `status` shows",
        )
    })
}

async fn send(stack: &Stack, paths: &[String]) -> Result<(), ResourceError> {
    let Some(distribution) = distributions::find(stack).await? else { return Ok(()) };
    let quantity = i32::try_from(paths.len()).unwrap_or(i32::MAX);
    let paths = Paths::builder().quantity(quantity).set_items(Some(paths.to_vec())).build().context(SUMMARY)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let batch = InvalidationBatch::builder().paths(paths).caller_reference(format!("{}", now.as_nanos()));
    let call = stack.clients.cloudfront.create_invalidation().distribution_id(distribution.id);
    call.invalidation_batch(batch.build().context(SUMMARY)?).send().await.context(SUMMARY).map(|_| ())
}

/// Returns the paths of these keys in CloudFront's form. The default page is also the path `/`.
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
    fn default_page_invalidates_root_and_many_keys_invalidate_everything() {
        assert_eq!(paths(&["index.html".to_owned(), "a b.js".to_owned()]), ["/", "/a%20b.js", "/index.html"]);
        assert_eq!(paths(&vec!["x".to_owned(); MANY + 1]), ["/*"]);
        assert!(paths(&[]).is_empty());
    }
}
