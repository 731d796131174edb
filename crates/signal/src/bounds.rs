//! The bounds of outboxes: how much may wait for one client, and for all clients together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::addresses::Account;
use crate::limits::{Limits, SenderLimits};

/// The share (one in …) of an outbox that is left to it once all outboxes together are at their bound.
const SCARCE: usize = 32;

/// The bounds that all outboxes share, and the bytes in use.
#[derive(Debug)]
pub struct Bounds {
    /// The maximum number of messages that wait in one outbox.
    pub(crate) messages: usize,
    bytes: usize,
    /// The maximum number of written bytes that one outbox keeps.
    pub(crate) kept: usize,
    all: usize,
    senders: SenderLimits,
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
            senders: limits.senders.clone(),
            used: AtomicUsize::new(0),
        })
    }

    /// Returns the number of bytes in all outboxes.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Adds bytes.
    pub fn add(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Removes bytes.
    pub fn remove(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Returns how many bytes may wait in one outbox now. What the server itself sends comes on top of what clients send
    /// each other, so it still has a quarter once these have used everything up.
    pub fn allowed(&self) -> usize {
        if self.used() > self.all + self.all / 4 { self.bytes / SCARCE } else { self.bytes }
    }

    /// Returns whether a signal of `bytes` fits, if the outbox then has these messages and bytes of its sender, of the
    /// sender's network, and of all senders.
    pub fn admit_signal(&self, shares: [(usize, usize); 3], bytes: usize, network: &Account) -> bool {
        let limits = &self.senders;
        let [own, of_network, all] = shares;
        let within = |(messages, bytes): (usize, usize), (most, most_bytes)| messages <= most && bytes <= most_bytes;
        let used = self.used();
        within(own, limits.of_session)
            && within(of_network, limits.of_network)
            && within(all, limits.of_all)
            // Only once memory becomes scarce does a network have to do with its share: a school never notices.
            && (used <= self.all / 2 || network.may_queue(bytes, limits.network_in_all_queues))
            && (used <= self.all || all.1 <= self.bytes / SCARCE)
    }
}
