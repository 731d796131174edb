//! The control plane of API Gateway takes 10 requests a second and 40 at once from an account, one new API in 3 s, one
//! deployment in 5 s, one removal of an API in 30 s. The SDK tries again for some seconds; this goes on for minutes.

use std::time::Duration;

use peersync_aws::retry::{Schedule, while_failing};
use peersync_engine::{Progress, ResourceError};

/// Long enough for several stacks at once that each remove an API.
const QUOTA: Schedule =
    Schedule { first: Duration::from_millis(500), longest: Duration::from_secs(8), deadline: Duration::from_secs(300) };

/// Calls that wait for their turn.
pub(in crate::kinds) trait SlowDown {
    /// Tries again while the account's quota is used up, or while another change of the same API is under way.
    ///
    /// # Errors
    /// The last error of the call.
    async fn slow_down<T, F, Fut>(&self, call: F) -> Result<T, ResourceError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, ResourceError>>;
}

impl SlowDown for Progress {
    async fn slow_down<T, F, Fut>(&self, call: F) -> Result<T, ResourceError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, ResourceError>>,
    {
        while_failing(self, QUOTA, passes, call).await
    }
}

fn passes(error: &ResourceError) -> bool {
    error.is(&["TooManyRequestsException", "LimitExceededException", "ThrottlingException"])
        || (error.is(&["ConflictException"]) && says(error, "concurrent"))
}

/// Whether the provider's message contains the text.
pub(in crate::kinds) fn says(error: &ResourceError, text: &str) -> bool {
    error.causes().iter().any(|cause| cause.contains(text))
}

#[cfg(test)]
mod tests {
    use super::passes;
    use peersync_engine::ResourceError;

    /// The SDK tries these again for half a minute; an API is removed once in half a minute.
    #[test]
    fn the_quota_is_waited_for_and_a_conflict_only_where_it_passes() {
        let error = |code, cause: &str| ResourceError::new("failed").code(Some(code)).caused_by(cause.to_owned());
        assert!(passes(&error("TooManyRequestsException", "Too Many Requests")));
        assert!(passes(&error("ConflictException", "Unable to complete operation due to concurrent modification")));
        assert!(!passes(&error("ConflictException", "Another resource with the same parent already has this name")));
        assert!(!passes(&error("BadRequestException", "concurrent")));
    }
}
