//! Retries for the quotas of API Gateway's control plane. Per account it accepts 10 requests per second with bursts of
//! 40, one new API per 3 s, one deployment per 5 s and one deletion of an API per 30 s. The SDK's retries last seconds;
//! these last minutes.

use std::time::Duration;

use peersync_aws::retry::{Schedule, while_failing};
use peersync_engine::{Progress, ResourceError, rule};

/// Long enough for several stacks that delete their APIs at the same time.
const QUOTA: Schedule =
    Schedule { first: Duration::from_millis(500), longest: Duration::from_secs(8), deadline: Duration::from_secs(300) };

/// Calls that are repeated while a quota is exhausted.
pub(in crate::kinds) trait QuotaRetry {
    /// Repeats `call` while the account's quota is exhausted, or while another change of the same API is in progress.
    ///
    /// # Errors
    /// The last error of the call.
    async fn with_quota_retry<T, F, Fut>(&self, call: F) -> Result<T, ResourceError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, ResourceError>>;
}

impl QuotaRetry for Progress {
    async fn with_quota_retry<T, F, Fut>(&self, call: F) -> Result<T, ResourceError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, ResourceError>>,
    {
        while_failing(self, QUOTA, is_transient, call).await
    }
}

fn is_transient(error: &ResourceError) -> bool {
    let is_quota = error.is(&["TooManyRequestsException", "LimitExceededException", "ThrottlingException"]);
    rule!("api-quota-is-transient", is_quota) || rule!("api-change-while-busy", is_busy(error))
}

/// Returns whether another change of the same API is in progress. The second and third text follow a change of the API
/// itself (Terraform's provider, issue 45905).
fn is_busy(error: &ResourceError) -> bool {
    let mentions = |text: &&str| error.mentions(text);
    (error.is(&["ConflictException"]) && error.mentions("concurrent"))
        || (error.is(&["ConflictException", "BadRequestException"])
            && ["already an update in progress", "apiStatus is UPDATING"].iter().any(mentions))
}

#[cfg(test)]
mod tests {
    use super::is_transient;
    use peersync_engine::ResourceError;

    /// The SDK retries these for half a minute, which is also the time per deletion of an API.
    #[test]
    fn exhausted_quota_and_concurrent_modification_are_transient() {
        let error = |code, cause: &str| ResourceError::new("failed").code(Some(code)).caused_by(cause.to_owned());
        assert!(is_transient(&error("TooManyRequestsException", "Too Many Requests")));
        assert!(is_transient(&error(
            "ConflictException",
            "Unable to complete operation due to concurrent modification"
        )));
        for text in ["There is already an update in progress", "Cannot update while apiStatus is UPDATING"] {
            assert!(is_transient(&error("BadRequestException", text)), "{text}");
        }
        assert!(!is_transient(&error(
            "ConflictException",
            "Another resource with the same parent already has this name"
        )));
        assert!(!is_transient(&error("BadRequestException", "concurrent")));
    }
}
