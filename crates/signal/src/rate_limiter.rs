//! The rate limiter of one session: a token bucket in one number, the time at which it would be full again (GCRA).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::limits::Limits;

/// The number of bytes that cost as much as one more message.
const BYTES_PER_TOKEN: u64 = 16 * 1024;

/// The state of the token bucket. It belongs to the session, not to the connection, so reconnecting does not refill it.
#[derive(Debug, Default)]
pub struct RateLimiter(AtomicU64);

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Accept it.
    Pass,
    /// Drop it, and tell the client.
    Drop,
    /// Close the connection: the client keeps exceeding the limit.
    Flood,
}

impl RateLimiter {
    /// Takes the tokens for a message of this many bytes, at `now` since the server's start.
    pub fn take(&self, now: Duration, bytes: usize, limits: &Limits) -> Decision {
        let cost = micros(limits.pace) * (1 + bytes as u64 / BYTES_PER_TOKEN);
        let now = micros(now);
        // Only one connection reads for a session. While it is taken over, a race costs the new one at most a message.
        let full = self.0.load(Ordering::Relaxed).max(now) + cost;
        let (burst, flood) = (micros(limits.pace * limits.burst), micros(limits.pace * limits.flood));
        if full - now > burst + flood {
            return Decision::Flood;
        }
        self.0.store(full, Ordering::Relaxed);
        if full - now > burst { Decision::Drop } else { Decision::Pass }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(limiter: &RateLimiter, now: u64, messages: usize) -> [usize; 3] {
        let limits = Limits { burst: 10, pace: Duration::from_millis(100), flood: 5, ..Limits::default() };
        let mut counts = [0; 3];
        for _ in 0..messages {
            match limiter.take(Duration::from_millis(now), 100, &limits) {
                Decision::Pass => counts[0] += 1,
                Decision::Drop => counts[1] += 1,
                Decision::Flood => counts[2] += 1,
            }
        }
        counts
    }

    #[test]
    fn burst_passes_then_messages_drop_then_flood() {
        let limiter = RateLimiter::default();
        assert_eq!(count(&limiter, 5000, 20), [10, 5, 5]);
        // Dropped messages took tokens too: the client must pause before the next one passes.
        assert_eq!(count(&limiter, 5400, 1), [0, 1, 0]);
        assert_eq!(count(&limiter, 5700, 2), [1, 1, 0]);
        assert_eq!(count(&limiter, 60_000, 10), [10, 0, 0]);
    }

    #[test]
    fn large_messages_cost_more() {
        let (limiter, limits) = (RateLimiter::default(), Limits { burst: 10, flood: 0, ..Limits::default() });
        let passed = (0..10).filter(|_| limiter.take(Duration::ZERO, 64 * 1024, &limits) == Decision::Pass).count();
        assert_eq!(passed, 2);
    }
}
