//! Retries and polling. Every wait has a deadline, is reported as progress, and keeps its last error.

use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder, Retryable};

use peersync_engine::{Progress, ResourceError};
use tokio::time::Instant;

/// How often and for how long an operation is retried.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// The delay after the first failure; each following delay is 1.6 times as long.
    pub first: Duration,
    /// The maximum delay.
    pub longest: Duration,
    /// The total of all delays after which the operation fails. For polling it is the time, with what each check takes.
    pub deadline: Duration,
}

impl Schedule {
    /// For propagation between services (a new role, a new instance profile): 0.25 s to 2 s, for 90 s. AWS was seen to
    /// take up to 48 s.
    pub const PROPAGATION: Self = Self::new(250, 2_000, 90);
    /// For states that last seconds (a table, a function): 0.1 s to 2 s, for 5 minutes.
    pub const STATE: Self = Self::new(100, 2_000, 300);
    /// For CloudFront's edge network: 0.5 s to 10 s, for 20 minutes.
    pub const EDGE: Self = Self::new(500, 10_000, 1_200);
    /// For EC2 instances that start or terminate, and what they use: 0.25 s to 5 s, for 10 minutes.
    pub const INSTANCE: Self = Self::new(250, 5_000, 600);

    const fn new(first_ms: u64, longest_ms: u64, deadline_s: u64) -> Self {
        Self {
            first: Duration::from_millis(first_ms),
            longest: Duration::from_millis(longest_ms),
            deadline: Duration::from_secs(deadline_s),
        }
    }

    fn backoff(self) -> impl BackoffBuilder {
        ExponentialBuilder::default()
            .with_factor(1.6)
            .with_jitter()
            .with_min_delay(self.first)
            .with_max_delay(self.longest)
            .with_total_delay(Some(self.deadline))
            .without_max_times()
    }
}

/// Runs `operation` until it succeeds, fails with an error for which `is_transient` returns `false`, or the deadline
/// is over.
///
/// # Errors
/// The last error of the operation.
pub async fn while_failing<T, F, Fut>(
    progress: &Progress,
    schedule: Schedule,
    is_transient: impl Fn(&ResourceError) -> bool,
    operation: F,
) -> Result<T, ResourceError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, ResourceError>>,
{
    let mut attempt = 0;
    operation
        .retry(schedule.backoff())
        .when(is_transient)
        .notify(|error: &ResourceError, delay| {
            attempt += 1;
            progress.retrying(attempt, error.causes().first().cloned().unwrap_or_else(|| error.to_string()), delay);
        })
        .await
}

/// Polls until `check` returns a value. `reason` completes the phrase "waiting for": `the table to become active`.
///
/// # Errors
/// An error of `check`; after the deadline, an error with `reason`.
pub async fn until<T, F, Fut>(
    progress: &Progress,
    schedule: Schedule,
    reason: &str,
    check: F,
) -> Result<T, ResourceError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Option<T>, ResourceError>>,
{
    within(progress, schedule, reason, check).await?.ok_or_else(|| {
        let seconds = schedule.deadline.as_secs();
        ResourceError::new(format!("timed out after {seconds} s waiting for {reason}"))
            .hint("run the command again: it continues where it stopped")
    })
}

/// Polls as [`until`] does, and returns `None` after the deadline: for waits after whose end something else is done than after
/// an error. The time that `check` takes counts; it is never cut short, since it may change something.
///
/// # Errors
/// An error of `check`.
pub async fn within<T, F, Fut>(
    progress: &Progress,
    schedule: Schedule,
    reason: &str,
    mut check: F,
) -> Result<Option<T>, ResourceError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Option<T>, ResourceError>>,
{
    let end = Instant::now() + schedule.deadline;
    let mut delays = schedule.backoff().build();
    let mut shown = false;
    loop {
        if let Some(value) = check().await? {
            return Ok(Some(value));
        }
        if !shown {
            progress.waiting(reason);
            shown = true;
        }
        // A check that takes long is no reason to wait longer.
        let Some(delay) = delays.next().filter(|_| Instant::now() < end) else { return Ok(None) };
        tokio::time::sleep(delay).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use std::sync::Arc;

    use peersync_engine::Silent;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_that_checks_take_counts() {
        let progress = Progress::of_nobody(Arc::new(Silent));
        let (first, longest, deadline) = (Duration::from_millis(250), Duration::from_secs(2), Duration::from_secs(10));
        let mut checks = 0;
        let slow = || {
            checks += 1;
            async {
                tokio::time::sleep(Duration::from_secs(8)).await;
                Ok(None::<()>)
            }
        };
        let polled = within(&progress, Schedule { first, longest, deadline }, "nothing", slow).await;
        assert_eq!((polled.unwrap(), checks), (None, 2));
    }
}
