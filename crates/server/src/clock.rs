//! The current time: the system's, or that of a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A clock in seconds since 1970. A test can set its own and advance it.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    set: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// Returns a clock that stays at `now` until it is advanced.
    pub fn fixed(now: i64) -> Self {
        Self { set: Some(Arc::new(AtomicI64::new(now))) }
    }

    /// Returns the seconds since 1970.
    pub fn now(&self) -> i64 {
        match &self.set {
            Some(set) => set.load(Ordering::Relaxed),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX)),
        }
    }

    /// Advances a fixed clock. Does nothing to the system's.
    pub fn forward(&self, seconds: i64) {
        if let Some(set) = &self.set {
            set.fetch_add(seconds, Ordering::Relaxed);
        }
    }
}
