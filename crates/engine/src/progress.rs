//! Progress events. The engine never prints: it sends events to a [`Reporter`].

use std::sync::Arc;
use std::time::Duration;

use super::{Action, Address};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Reading the live resources has started.
    ObserveStarted {
        /// The number of resources to read.
        total: usize,
    },
    /// One resource was read.
    Observed {
        /// The resource.
        address: Address,
    },
    /// Work on a resource has started.
    Started {
        /// The resource.
        address: Address,
        /// What is done to it.
        action: Action,
    },
    /// The resource waits for a transient condition to end.
    Waiting {
        /// The resource; `None` if the wait belongs to no single one.
        address: Option<Address>,
        /// What it waits for.
        reason: String,
    },
    /// A call failed with a transient error and is retried.
    Retrying {
        /// The resource; `None` if the call belongs to no single resource.
        address: Option<Address>,
        /// The number of attempts that have failed so far.
        attempt: u32,
        /// Why the last attempt failed.
        reason: String,
        /// The delay before the next attempt.
        delay: Duration,
    },
    /// Something that the user should know, and that is no failure.
    Noted {
        /// The resource; `None` if the note belongs to no single one.
        address: Option<Address>,
        /// The note.
        text: String,
    },
    /// Work on a resource has succeeded.
    Finished {
        /// The resource.
        address: Address,
        /// What was done to it.
        action: Action,
        /// How long it took.
        elapsed: Duration,
    },
    /// Work on a resource has failed.
    Failed {
        /// The resource.
        address: Address,
        /// The action that failed.
        action: Action,
        /// The reason.
        error: Arc<super::ResourceError>,
    },
    /// A resource was skipped because one of its dependencies failed.
    Skipped {
        /// The resource.
        address: Address,
        /// The dependency that failed.
        because: Address,
    },
    /// The user asked to stop: steps in flight finish, nothing new starts.
    Interrupted {
        /// The number of steps that will not be started.
        remaining: usize,
    },
}

/// A receiver of events.
pub trait Reporter: Send + Sync {
    /// Handles one event. Must not block.
    fn event(&self, event: &Event);
}

/// A reporter that ignores all events.
pub struct Silent;

impl Reporter for Silent {
    fn event(&self, _: &Event) {}
}

tokio::task_local! {
    static CURRENT: Progress;
}

/// Reports the progress of one resource, or of work that belongs to none.
#[derive(Clone)]
pub struct Progress {
    address: Option<Address>,
    reporter: Arc<dyn Reporter>,
}

impl Progress {
    /// Creates the progress of one resource.
    pub fn new(address: Address, reporter: Arc<dyn Reporter>) -> Self {
        Self { address: Some(address), reporter }
    }

    /// Creates the progress of work that belongs to no resource.
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

    /// Reports what the resource waits for.
    pub fn waiting(&self, reason: impl Into<String>) {
        self.reporter.event(&Event::Waiting { address: self.address.clone(), reason: reason.into() });
    }

    /// Reports something that the user should know, and that is no failure.
    pub fn note(&self, text: impl Into<String>) {
        self.reporter.event(&Event::Noted { address: self.address.clone(), text: text.into() });
    }

    /// Reports that a call is retried.
    pub fn retrying(&self, attempt: u32, reason: impl Into<String>, delay: Duration) {
        let reason = reason.into();
        self.reporter.event(&Event::Retrying { address: self.address.clone(), attempt, reason, delay });
    }
}
