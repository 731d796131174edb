//! How long to wait before another attempt.

use std::time::Duration;

/// The pause after the first failure that cost nothing at the authority.
const FREE_FIRST: Duration = Duration::from_secs(5);
/// The longest pause after failures that cost nothing. A name that was pointed to the host, or an address that has moved to
/// it, is noticed as soon.
const FREE_LONGEST: Duration = Duration::from_secs(15);
/// The pause after the first failure of an order.
const ORDER_FIRST: Duration = Duration::from_secs(60);
/// The longest pause after failures of orders.
const ORDER_LONGEST: Duration = Duration::from_secs(3600);
/// How much longer each pause after the failure of an order is. Let's Encrypt lets five validations an hour fail
/// (<https://letsencrypt.org/docs/rate-limits/>): attempts come after 1, 4, 13 and 40 minutes, and then once an hour.
const ORDER_GROWTH: u32 = 3;
/// The pause after "too many" without a time.
const TOO_MANY: Duration = Duration::from_secs(3600);
/// The longest pause, whatever the authority asks for.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What a failure has cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// Nothing: the authority does not know of it.
    Free,
    /// An attempt, which the authority counts.
    Order,
    /// The authority has counted too many, and may say how long to wait.
    TooMany(Option<Duration>),
}

/// The pauses since the last success.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    free: u32,
    orders: u32,
}

impl Pauses {
    /// Returns the pause after another failure.
    pub(crate) fn after(&mut self, cost: Cost) -> Duration {
        match cost {
            Cost::Free => {
                let pause = FREE_FIRST.saturating_mul(2_u32.saturating_pow(self.free)).min(FREE_LONGEST);
                self.free += 1;
                pause
            }
            Cost::Order => {
                let pause = ORDER_FIRST.saturating_mul(ORDER_GROWTH.saturating_pow(self.orders)).min(ORDER_LONGEST);
                self.orders += 1;
                pause
            }
            Cost::TooMany(asked) => asked.unwrap_or(TOO_MANY).clamp(ORDER_FIRST, LONGEST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(cost: Cost, attempts: usize) -> Vec<u64> {
        let mut pauses = Pauses::default();
        (0..attempts).map(|_| pauses.after(cost).as_secs()).collect()
    }

    #[test]
    fn pauses_grow_to_a_bound() {
        assert_eq!(seconds(Cost::Free, 6), [5, 10, 15, 15, 15, 15]);
        assert_eq!(seconds(Cost::Order, 6), [60, 180, 540, 1620, 3600, 3600]);
        assert_eq!(seconds(Cost::Free, 200).last(), Some(&15), "however often");
    }

    #[test]
    fn authority_that_has_enough_is_given_the_time_that_it_asks_for() {
        let asked = |seconds| Cost::TooMany(Some(Duration::from_secs(seconds)));
        assert_eq!(seconds(asked(7200), 2), [7200, 7200]);
        assert_eq!(seconds(asked(0), 1), [60]);
        assert_eq!(seconds(asked(u64::MAX), 1), [86_400]);
        assert_eq!(seconds(Cost::TooMany(None), 1), [3600]);
    }
}
