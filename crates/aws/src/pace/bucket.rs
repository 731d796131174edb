//! One bucket: how many requests can be sent now, and when the next one can.

use tokio::time::{Duration, Instant};

use crate::rates::Rate;

/// The part of AWS's burst that one run takes, so that the next one can begin right after it.
const PART_OF_BURST: f64 = 0.5;
/// The part of AWS's burst that a run takes if it began before its first change: requests that are held up on the way
/// arrive closer together than they were sent.
const PART_OF_REFILLED_BURST: f64 = 0.9;
/// How many seconds a bucket may take to fill to be one that has filled before the first change of a run.
const FILLS_SOON: f64 = 2.0;
/// The part of AWS's rate that one run takes.
const PART_OF_RATE: f64 = 0.95;
/// What is left of the rate after a refusal; that of the SDK's adaptive mode and of TCP's CUBIC.
const LEFT_AFTER_REFUSAL: f64 = 0.7;
/// The least that is left of it, after any number of refusals.
const LEAST_LEFT: f64 = 0.25;
/// What comes back of it in each second without a refusal.
const BACK_PER_SECOND: f64 = 0.2;
/// Refusals within this time are one: they came to requests that had been sent together.
const TOGETHER: Duration = Duration::from_secs(1);

/// A token bucket whose rate falls with refusals.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    /// The present part of the rate.
    part: f64,
    filled: Instant,
    refused: Option<Instant>,
}

impl Bucket {
    /// One from which reads and changes draw, or that takes long to fill: the run before left half of it, and so does this one.
    pub(super) fn shared(rate: &Rate) -> Self {
        let burst = (rate.burst * PART_OF_BURST).max(1.0);
        Self { burst, tokens: burst, ..Self::empty(rate, Instant::now()) }
    }

    /// One of a changing operation. The run before may have emptied it with its last requests; since this run began, it has
    /// been filling, because a run first reads.
    pub(super) fn of_changes(rate: &Rate, began: Instant) -> Self {
        if rate.burst < 2.0 || rate.burst > FILLS_SOON * rate.per_second {
            return Self::shared(rate);
        }
        Self { burst: rate.burst * PART_OF_REFILLED_BURST, ..Self::empty(rate, began) }
    }

    fn empty(rate: &Rate, filled: Instant) -> Self {
        Self { rate: rate.per_second * PART_OF_RATE, burst: 0.0, tokens: 0.0, part: 1.0, filled, refused: None }
    }

    /// Returns how long it is still empty; `None` if a request can be sent now.
    pub(super) fn wait(&mut self, now: Instant) -> Option<Duration> {
        self.fill(now);
        // A hair less than a token is one: the sum of many parts of a second is not exact.
        let missing = 1.0 - self.tokens;
        let time = Duration::from_secs_f64(missing.max(0.0) / (self.rate * self.part));
        (time > Duration::from_micros(1)).then(|| time.max(Duration::from_millis(1)))
    }

    /// Counts a request. One that could not wait leaves less than nothing.
    pub(super) fn take(&mut self, now: Instant) {
        self.fill(now);
        self.tokens -= 1.0;
    }

    /// Empties it and lowers its rate for a while.
    pub(super) fn refuse(&mut self, now: Instant) {
        self.fill(now);
        self.tokens = self.tokens.min(0.0);
        if self.refused.is_none_or(|last| now.duration_since(last) >= TOGETHER) {
            self.part = (self.part * LEFT_AFTER_REFUSAL).max(LEAST_LEFT);
            self.refused = Some(now);
        }
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.duration_since(self.filled).as_secs_f64();
        self.tokens = self.burst.min(self.tokens + passed * self.rate * self.part);
        self.part = f64::min(1.0, self.part + passed * BACK_PER_SECOND);
        self.filled = now;
    }
}
