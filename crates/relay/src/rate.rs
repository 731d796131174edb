//! Token buckets: how much may pass per second, and how much at once.

use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Instant;

/// A bucket that is full at first and is filled at a constant rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    tokens: u32,
    filled: Instant,
}

impl Bucket {
    /// Returns a full bucket.
    pub(crate) fn new(now: Instant, burst: u32) -> Self {
        Self { tokens: burst, filled: now }
    }

    /// Takes tokens out, and returns whether enough were there. `rate` is in tokens per second.
    pub(crate) fn take(&mut self, now: Instant, tokens: u32, rate: u32, burst: u32) -> bool {
        if self.tokens < tokens {
            self.fill(now, rate, burst);
        }
        match self.tokens.checked_sub(tokens) {
            Some(rest) => {
                self.tokens = rest;
                true
            }
            None => false,
        }
    }

    /// Adds what has accrued. It is called only when the bucket runs low, which saves most of the arithmetic.
    fn fill(&mut self, now: Instant, rate: u32, burst: u32) {
        let micros = now.saturating_duration_since(self.filled).as_micros();
        let accrued = u32::try_from(micros.saturating_mul(u128::from(rate)) / 1_000_000).unwrap_or(u32::MAX);
        if accrued > 0 {
            self.tokens = self.tokens.saturating_add(accrued).min(burst);
            self.filled = now;
        }
    }
}

/// Buckets for any number of keys in a fixed amount of memory: keys share a bucket at random. One of many addresses can
/// therefore slow down one other in [`SHARED`], and which one nobody can foresee.
#[derive(Debug)]
pub(crate) struct SharedBuckets {
    buckets: Vec<Bucket>,
    hasher: RandomState,
    rate: u32,
    burst: u32,
}

/// The number of buckets: 4096 of 24 bytes.
const SHARED: usize = 4096;

impl SharedBuckets {
    /// Returns full buckets.
    pub(crate) fn new(now: Instant, rate: u32, burst: u32) -> Self {
        Self { buckets: vec![Bucket::new(now, burst); SHARED], hasher: RandomState::new(), rate, burst }
    }

    /// Takes one token for a key.
    pub(crate) fn take(&mut self, now: Instant, key: impl Hash) -> bool {
        let hash = usize::try_from(self.hasher.hash_one(key) % SHARED as u64).unwrap_or_default();
        self.buckets.get_mut(hash).is_some_and(|bucket| bucket.take(now, 1, self.rate, self.burst))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn bucket_gives_its_burst_and_then_its_rate() {
        let begin = Instant::now();
        let mut bucket = Bucket::new(begin, 10);
        let taken = |bucket: &mut Bucket, at| (0..100).filter(|_| bucket.take(at, 1, 4, 10)).count();
        assert_eq!(taken(&mut bucket, begin), 10);
        assert_eq!(taken(&mut bucket, begin + Duration::from_millis(500)), 2);
        assert_eq!(taken(&mut bucket, begin + Duration::from_secs(60)), 10);
    }

    #[test]
    fn slow_rate_is_not_lost_to_frequent_attempts() {
        let begin = Instant::now();
        let mut bucket = Bucket::new(begin, 1);
        let passed = (0..10_000).filter(|&millis| bucket.take(begin + Duration::from_millis(millis), 1, 2, 1)).count();
        assert!((19..=21).contains(&passed), "{passed}");
    }

    #[test]
    fn one_key_cannot_use_up_the_buckets_of_most_others() {
        let begin = Instant::now();
        let mut buckets = SharedBuckets::new(begin, 1, 5);
        assert_eq!((0..1000).filter(|_| buckets.take(begin, "attacker")).count(), 5);
        assert!((0..1000).filter(|key| buckets.take(begin, key)).count() > 950);
    }
}
