//! Time that has passed on this computer, however it was spent.
//!
//! The monotonic clock of the system does not count the time for which the computer was suspended; the wall clock does,
//! but it can be set. A [`Moment`] has both, so that a limit holds for either.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point in time by both clocks of this computer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The monotonic clock, since the first moment that this process has taken.
    pub monotonic: Duration,
    /// The wall clock, since 1970.
    pub wall: Duration,
}

impl Moment {
    /// Returns the present moment.
    pub fn now() -> Self {
        static FIRST: OnceLock<Instant> = OnceLock::new();
        let monotonic = FIRST.get_or_init(Instant::now).elapsed();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { monotonic, wall }
    }

    /// Returns how much time has passed at least since an earlier moment.
    pub fn at_least_since(self, earlier: Self) -> Duration {
        self.monotonic.saturating_sub(earlier.monotonic)
    }

    /// Returns how much time may have passed since an earlier moment: a suspended computer counts it on the wall clock
    /// alone, and a wall clock that was set back does not count it.
    pub fn at_most_since(self, earlier: Self) -> Duration {
        self.at_least_since(earlier).max(self.wall.saturating_sub(earlier.wall))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(monotonic: u64, wall: u64) -> Moment {
        Moment { monotonic: Duration::from_secs(monotonic), wall: Duration::from_secs(wall) }
    }

    #[test]
    fn time_of_a_suspended_computer_counts() {
        assert_eq!(moment(11, 700).at_most_since(moment(10, 100)), Duration::from_secs(600));
        assert_eq!(moment(11, 700).at_least_since(moment(10, 100)), Duration::from_secs(1));
    }

    #[test]
    fn wall_clock_that_is_set_back_hides_no_time() {
        assert_eq!(moment(15, 40).at_most_since(moment(10, 100)), Duration::from_secs(5));
    }
}
