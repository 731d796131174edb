//! How much may wait for one client, and for all together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limits::Limits;

/// What all outboxes share.
#[derive(Debug)]
pub struct Bounds {
    /// Messages that may wait in one.
    pub(crate) messages: usize,
    bytes: usize,
    /// Bytes that may be kept in one after they were written.
    pub(crate) kept: usize,
    all: usize,
    used: AtomicUsize,
}

impl Bounds {
    /// As the limits say.
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            messages: limits.queue_messages,
            bytes: limits.queue_bytes,
            kept: limits.kept_bytes,
            all: limits.all_queues_bytes,
            used: AtomicUsize::new(0),
        })
    }

    /// Bytes in all outboxes.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Counts bytes in; how many may wait in one outbox now. Where all together have too much, those with more than a
    /// small share give way.
    pub fn add(&self, bytes: usize) -> usize {
        let all = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if all > self.all { self.bytes / 32 } else { self.bytes }
    }

    /// Counts bytes out.
    pub fn remove(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}
