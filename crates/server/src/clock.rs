//! The current time: the system's, or that of a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// By how many seconds the clock may differ from the time that has passed before it counts as set.
const DRIFT_SECONDS: i64 = 10;

/// A clock in seconds since 1970. A test can have its own, let time pass and set it.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    own: Option<Arc<Own>>,
}

/// The clock of a test.
#[derive(Debug)]
struct Own {
    /// What it shows.
    shows: AtomicI64,
    begun: Instant,
    /// The seconds that have passed since it began.
    passed: AtomicI64,
}

impl Clock {
    /// Returns a clock that stays at `now` until time passes.
    pub fn fixed(now: i64) -> Self {
        let (shows, begun, passed) = (AtomicI64::new(now), Instant::now(), AtomicI64::new(0));
        Self { own: Some(Arc::new(Own { shows, begun, passed })) }
    }

    /// Returns the seconds since 1970.
    pub fn now(&self) -> i64 {
        match &self.own {
            Some(own) => own.shows.load(Ordering::Relaxed),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX)),
        }
    }

    /// Lets seconds pass on the clock of a test. Does nothing to the system's.
    pub fn forward(&self, seconds: i64) {
        if let Some(own) = &self.own {
            own.passed.fetch_add(seconds, Ordering::Relaxed);
        }
        self.set_by(seconds);
    }

    /// Sets the clock of a test forward or back, without any time passing. Does nothing to the system's.
    pub fn set_by(&self, seconds: i64) {
        if let Some(own) = &self.own {
            own.shows.fetch_add(seconds, Ordering::Relaxed);
        }
    }

    /// Returns this moment.
    pub fn moment(&self) -> Moment {
        let passed = self.own.as_ref().map_or_else(Instant::now, |own| {
            own.begun + Duration::from_secs(own.passed.load(Ordering::Relaxed).unsigned_abs())
        });
        Moment { clock: self.now(), passed }
    }
}

/// A moment by the clock, and by the time that passes whatever the clock shows.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// By the clock, in seconds since 1970.
    pub clock: i64,
    passed: Instant,
}

impl Moment {
    /// Returns the time that has passed from this moment until a later one, whatever the clock showed.
    pub fn until(&self, later: &Self) -> Duration {
        later.passed.saturating_duration_since(self.passed)
    }

    /// Returns whether the clock was set between this moment and a later one: a host may boot with a wrong one, and learns
    /// the right one when it reaches the network.
    pub fn clock_was_set_until(&self, later: &Self) -> bool {
        let passed = i64::try_from(self.until(later).as_secs()).unwrap_or(i64::MAX);
        later.clock.saturating_sub(self.clock).saturating_sub(passed).saturating_abs() > DRIFT_SECONDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_that_was_set_is_noticed_in_both_directions() {
        let clock = Clock::fixed(1_000_000);
        let begin = clock.moment();
        clock.forward(3600);
        assert!(!begin.clock_was_set_until(&clock.moment()));
        for seconds in [86_400, -2 * 86_400] {
            clock.set_by(seconds);
            assert!(begin.clock_was_set_until(&clock.moment()), "{seconds}");
        }
        assert_eq!(begin.until(&clock.moment()), Duration::from_secs(3600));
    }
}
