//! What the distribution does with errors of its origins.
//!
//! CloudFront caches 404 and 5xx for ten seconds unless told otherwise, even if the origin forbids it, and under the path
//! alone: one person's error of `/api/me`, or one of `/ws` while the host is replaced, would be everybody's at that edge
//! location ("How CloudFront caches HTTP 4xx and 5xx status codes", developer guide).

use aws_sdk_cloudfront::types::{CustomErrorResponse, CustomErrorResponses};
use aws_smithy_types::error::operation::BuildError;
use serde_json::{Map, Value, json};

/// The status with which S3 answers for a file that does not exist, because the distribution may not list the bucket.
const MISSING: i32 = 403;
/// What a browser gets instead: our own page. An API's or the signaling server's answer with this status becomes that page
/// too; they give it only to callers that no page of ours is.
const MISSING_PAGE: (&str, &str) = ("/404.html", "404");
/// Errors that are passed on as they are, and never cached: those that CloudFront caches by itself.
const UNCACHED: [i32; 7] = [404, 414, 500, 501, 502, 503, 504];

/// Builds the settings.
pub(super) fn build() -> Result<CustomErrorResponses, BuildError> {
    let uncached = |status| CustomErrorResponse::builder().error_code(status).error_caching_min_ttl(0);
    let missing = uncached(MISSING).response_page_path(MISSING_PAGE.0).response_code(MISSING_PAGE.1);
    let all: Result<Vec<_>, _> = [missing].into_iter().chain(UNCACHED.map(uncached)).map(|one| one.build()).collect();
    let all = all?;
    let count = i32::try_from(all.len()).unwrap_or(i32::MAX);
    CustomErrorResponses::builder().quantity(count).set_items(Some(all)).build()
}

/// Returns the settings by status, for comparison and display: the page and its status, if there is one, and for how many
/// seconds the error is cached.
pub(super) fn view(errors: Option<&CustomErrorResponses>) -> Value {
    let items = errors.and_then(|errors| errors.items.as_deref()).unwrap_or_default();
    let view = |error: &CustomErrorResponse| {
        let page = error.response_page_path.as_deref().filter(|path| !path.is_empty());
        let status = error.response_code.as_deref().filter(|_| page.is_some());
        let cached = error.error_caching_min_ttl.map_or_else(|| json!("default"), |seconds| json!(seconds));
        (error.error_code.to_string(), json!({ "page": page, "status": status, "cached_s": cached }))
    };
    Value::Object(items.iter().map(view).collect::<Map<String, Value>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_is_cached_and_a_missing_page_is_ours() {
        let view = view(Some(&build().unwrap()));
        for status in ["500", "502", "503", "504", "404"] {
            assert_eq!(view[status], json!({ "page": null, "status": null, "cached_s": 0 }), "{status}");
        }
        assert_eq!(view["403"], json!({ "page": "/404.html", "status": "404", "cached_s": 0 }));
    }

    #[test]
    fn error_without_a_time_is_a_difference() {
        let error = CustomErrorResponse::builder().error_code(502).build().unwrap();
        let live = CustomErrorResponses::builder().quantity(1).items(error).build().unwrap();
        assert_eq!(view(Some(&live))["502"]["cached_s"], "default");
    }
}
