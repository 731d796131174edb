//! The slots of time into which leases are divided, and what is known of AWS's clock.

use std::time::Duration;

use crate::moment::Moment;

/// The length of a slot. A holder has the present slot and the next one, so a lease ends at most two slots after its
/// holder's death, and renewals may fail for almost one.
pub(super) const SLOT: Duration = Duration::from_secs(25);
/// How long before the end of its last slot a holder stops to write: requests take that long at most to arrive and to be
/// carried out, and the clocks of AWS's servers differ by less.
pub(super) const MARGIN: Duration = Duration::from_secs(3);
/// The resolution of the header `Date`.
const RESOLUTION: Duration = Duration::from_secs(1);

/// A slot, by its number since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(pub(super) u64);

impl Slot {
    /// Returns the slot of a time since 1970.
    pub(super) fn of(time: Duration) -> Self {
        Self(time.as_secs() / SLOT.as_secs())
    }

    /// Returns the following slot.
    pub(super) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Returns when it begins, since 1970.
    pub(super) fn start(self) -> Duration {
        Duration::from_secs(self.0.saturating_mul(SLOT.as_secs()))
    }

    /// Returns when it ends, since 1970.
    pub(super) fn end(self) -> Duration {
        self.next().start()
    }
}

/// One reading of AWS's clock: the `Date` of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The time in the answer, since 1970, in whole seconds.
    pub date: Duration,
    /// When the request was sent.
    pub sent: Moment,
    /// When the answer was there.
    pub received: Moment,
}

impl Reading {
    /// Returns the earliest time that AWS's clock can show now.
    pub(super) fn earliest(&self, now: Moment) -> Duration {
        self.date + now.at_least_since(self.received)
    }

    /// Returns the latest time that AWS's clock can show now.
    pub(super) fn latest(&self, now: Moment) -> Duration {
        self.date + RESOLUTION + now.at_most_since(self.sent)
    }

    /// Returns how long after `sent` a holder of this slot may write.
    pub(super) fn lasts(&self, last: Slot) -> Duration {
        last.end().saturating_sub(MARGIN + self.date + RESOLUTION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lease_of_a_dead_holder_ends_within_a_minute() {
        // The worst case is a death right after the renewal, and those who wait look at least every four seconds.
        assert!(2 * SLOT + 2 * RESOLUTION + Duration::from_secs(4) <= Duration::from_secs(60));
    }

    #[test]
    fn time_is_known_up_to_the_resolution_and_the_time_of_the_call() {
        let at = |seconds| Moment { monotonic: Duration::from_secs(seconds), wall: Duration::from_secs(seconds) };
        let reading = Reading { date: Duration::from_secs(1_000), sent: at(5), received: at(7) };
        assert_eq!(reading.earliest(at(10)), Duration::from_secs(1_003));
        assert_eq!(reading.latest(at(10)), Duration::from_secs(1_006));
        // The slot ends at 1025; at 1021 by the latest reckoning, nothing may be written any more.
        assert_eq!(Slot::of(reading.date), Slot(40));
        assert_eq!(at(5).monotonic + reading.lasts(Slot(40)), at(26).monotonic);
        assert_eq!(reading.latest(at(26)), Slot(40).end() - MARGIN);
    }
}
