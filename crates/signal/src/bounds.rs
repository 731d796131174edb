//! The bounds of outboxes: how much may wait for one client, and for all clients together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limits::Limits;

/// The bounds that all outboxes share, and the bytes in use.
#[derive(Debug)]
pub struct Bounds {
    /// The maximum number of messages that wait in one outbox.
    pub(crate) messages: usize,
    bytes: usize,
    /// The maximum number of written bytes that one outbox keeps.
    pub(crate) kept: usize,
    all: usize,
    used: AtomicUsize,
}

impl Bounds {
    /// Returns the bounds that the limits define.
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            messages: limits.queue_messages,
            bytes: limits.queue_bytes,
            kept: limits.kept_bytes,
            all: limits.all_queues_bytes,
            used: AtomicUsize::new(0),
        })
    }

    /// Returns the number of bytes in all outboxes.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Adds bytes, and returns how many may wait in one outbox now. If all outboxes together exceed their bound, only a
    /// small share is allowed.
    pub fn add(&self, bytes: usize) -> usize {
        let all = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if all > self.all { self.bytes / 32 } else { self.bytes }
    }

    /// Removes bytes.
    pub fn remove(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}
