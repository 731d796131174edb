//! Makes the SDK retry "too many requests" even if the response has no body with an error code, as after every HEAD.

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};

use peersync_engine::rule;

/// The HTTP status (RFC 6585); the SDK itself checks only the error code in the body.
const TOO_MANY_REQUESTS: u16 = 429;

/// Classifies responses with status 429 as throttled, so that the SDK retries them.
#[derive(Debug)]
pub(super) struct TooManyRequests;

impl ClassifyRetry for TooManyRequests {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let status = context.response().map(|response| response.status().as_u16());
        if rule!("status-429-is-transient", status == Some(TOO_MANY_REQUESTS)) {
            RetryAction::throttling_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "TooManyRequests"
    }
}
