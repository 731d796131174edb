//! Waiting for what passes by itself: every wait has a deadline, is shown, and keeps its last error.

use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder, Retryable};

use peersync_engine::{Progress, ResourceError};

/// How densely and how long something is tried again.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// The delay after the first failure; each further one is 1.6 times the last.
    pub first: Duration,
    /// The longest delay.
    pub longest: Duration,
    /// When to give up, counted in delays.
    pub deadline: Duration,
}

impl Schedule {
    /// Propagation between services (a new role, a new instance profile): 0.25 s to 2 s, for 90 s.
    /// Up to 48 s were seen on AWS.
    pub const PROPAGATION: Self = Self::new(250, 2_000, 90);
    /// States that pass within seconds (a table, a function): 0.1 s to 2 s, for 5 minutes.
    pub const STATE: Self = Self::new(100, 2_000, 300);
    /// The edge network: 0.5 s to 10 s, for 20 minutes.
    pub const EDGE: Self = Self::new(500, 10_000, 1_200);
    /// Instances on their way up or down, and what is in use by them: 0.25 s to 5 s, for 10 minutes.
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

/// Runs `operation` until it succeeds, fails for a reason that `passes` does not name, or the deadline is over; then
/// the last error is returned.
///
/// # Errors
/// The last error of the operation.
pub async fn while_failing<T, F, Fut>(
    progress: &Progress,
    schedule: Schedule,
    passes: impl Fn(&ResourceError) -> bool,
    operation: F,
) -> Result<T, ResourceError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, ResourceError>>,
{
    let mut attempt = 0;
    operation
        .retry(schedule.backoff())
        .when(passes)
        .notify(|error: &ResourceError, delay| {
            attempt += 1;
            progress.retrying(attempt, error.causes().first().cloned().unwrap_or_else(|| error.to_string()), delay);
        })
        .await
}

/// Polls until `check` gives a value. `reason` is what the display shows meanwhile, `the table to become active`.
///
/// # Errors
/// An error of `check`; after the deadline, one that says what was waited for.
pub async fn until<T, F, Fut>(
    progress: &Progress,
    schedule: Schedule,
    reason: &str,
    mut check: F,
) -> Result<T, ResourceError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Option<T>, ResourceError>>,
{
    let mut delays = schedule.backoff().build();
    let mut shown = false;
    loop {
        if let Some(value) = check().await? {
            return Ok(value);
        }
        if !shown {
            progress.waiting(reason);
            shown = true;
        }
        let Some(delay) = delays.next() else {
            let seconds = schedule.deadline.as_secs();
            return Err(ResourceError::new(format!("waited {seconds} s for {reason}, in vain"))
                .hint("run the command again: it continues where it stopped"));
        };
        tokio::time::sleep(delay).await;
    }
}
