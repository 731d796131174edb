//! What happens, told while it happens. The engine never prints: it sends events to a [`Reporter`].

use std::sync::Arc;
use std::time::Duration;

use super::{Action, Address};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Reading of the live resources begins.
    ObserveStarted {
        /// How many will be read.
        total: usize,
    },
    /// One resource was read.
    Observed {
        /// Which.
        address: Address,
    },
    /// Work on a resource begins.
    Started {
        /// Which.
        address: Address,
        /// What is done to it.
        action: Action,
    },
    /// The resource waits for something that passes by itself.
    Waiting {
        /// Which; `None` if it belongs to no single resource.
        address: Option<Address>,
        /// What it waits for.
        reason: String,
    },
    /// A call failed in a way that passes by itself, and is tried again.
    Retrying {
        /// Which; `None` where the call belongs to no single resource.
        address: Option<Address>,
        /// How many tries have failed so far.
        attempt: u32,
        /// Why the last one failed.
        reason: String,
        /// How long until the next.
        delay: Duration,
    },
    /// Work on a resource has ended well.
    Finished {
        /// Which.
        address: Address,
        /// What was done to it.
        action: Action,
        /// How long it took.
        elapsed: Duration,
    },
    /// Work on a resource has failed.
    Failed {
        /// Which.
        address: Address,
        /// What was being done.
        action: Action,
        /// Why.
        error: Arc<super::ResourceError>,
    },
    /// A resource was not touched, because one that it depends on failed.
    Skipped {
        /// Which.
        address: Address,
        /// The one that failed.
        because: Address,
    },
    /// The user asked to stop: what is in flight is finished, nothing new begins.
    Interrupted {
        /// How many steps will not be started.
        remaining: usize,
    },
}

/// Shows events to somebody.
pub trait Reporter: Send + Sync {
    /// Takes one event. Must not block.
    fn event(&self, event: &Event);
}

/// A reporter that shows nothing.
pub struct Silent;

impl Reporter for Silent {
    fn event(&self, _: &Event) {}
}

tokio::task_local! {
    static CURRENT: Progress;
}

/// The view of one resource on the reporter.
#[derive(Clone)]
pub struct Progress {
    address: Option<Address>,
    reporter: Arc<dyn Reporter>,
}

impl Progress {
    /// Progress of one resource.
    pub fn new(address: Address, reporter: Arc<dyn Reporter>) -> Self {
        Self { address: Some(address), reporter }
    }

    /// Progress of work that belongs to no resource.
    pub fn of_nobody(reporter: Arc<dyn Reporter>) -> Self {
        Self { address: None, reporter }
    }

    /// Runs the future with this as the [current](Progress::current) progress of its task.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }

    /// Returns the progress of the surrounding [`scope`](Progress::scope); `None` outside of one. Code that is called
    /// deep inside a provider's library reports through it.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Says what is waited for.
    pub fn waiting(&self, reason: impl Into<String>) {
        self.reporter.event(&Event::Waiting { address: self.address.clone(), reason: reason.into() });
    }

    /// Says that a call is tried again.
    pub fn retrying(&self, attempt: u32, reason: impl Into<String>, delay: Duration) {
        let reason = reason.into();
        self.reporter.event(&Event::Retrying { address: self.address.clone(), attempt, reason, delay });
    }
}
