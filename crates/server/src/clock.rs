//! The time: the system's, or a test's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time in seconds since 1970. A test may hold its own and move it.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    set: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// A clock that shows `now` until it is moved.
    pub fn fixed(now: i64) -> Self {
        Self { set: Some(Arc::new(AtomicI64::new(now))) }
    }

    /// Seconds since 1970.
    pub fn now(&self) -> i64 {
        match &self.set {
            Some(set) => set.load(Ordering::Relaxed),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX)),
        }
    }

    /// Moves a fixed clock; the system's goes its own way.
    pub fn forward(&self, seconds: i64) {
        if let Some(set) = &self.set {
            set.fetch_add(seconds, Ordering::Relaxed);
        }
    }
}
