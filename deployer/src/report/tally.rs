//! Counts retries on their way to the reporter.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use peersync_engine::{Address, Event, Reporter};

/// How often the calls for one resource were retried, and the last reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Retried {
    /// The resource; `None` for calls that belong to no single one.
    pub address: Option<Address>,
    /// The number of retried calls.
    pub count: u32,
    /// The reason for the last retry.
    pub reason: String,
}

/// A reporter that passes every event on and counts the retries.
pub struct Tally {
    inner: Arc<dyn Reporter>,
    retries: Mutex<BTreeMap<Option<Address>, (u32, String)>>,
}

impl Tally {
    /// Creates a tally in front of this reporter.
    pub fn new(inner: Arc<dyn Reporter>) -> Self {
        Self { inner, retries: Mutex::default() }
    }

    /// Returns what was retried, in the order of the addresses.
    pub fn retries(&self) -> Vec<Retried> {
        let retries = self.retries.lock();
        let retried = retries.iter();
        retried
            .map(|(address, (count, reason))| Retried {
                address: address.clone(),
                count: *count,
                reason: reason.clone(),
            })
            .collect()
    }
}

impl Reporter for Tally {
    fn event(&self, event: &Event) {
        if let Event::Retrying { address, reason, .. } = event {
            let mut retries = self.retries.lock();
            let entry = retries.entry(address.clone()).or_default();
            *entry = (entry.0 + 1, reason.clone());
        }
        self.inner.event(event);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use peersync_engine::Silent;

    #[test]
    fn retries_are_counted_per_resource() {
        let tally = Tally::new(Arc::new(Silent));
        let bucket = Address::new("bucket", "site");
        for (address, reason) in [(Some(&bucket), "503"), (None, "429"), (Some(&bucket), "500")] {
            tally.event(&Event::Retrying {
                address: address.cloned(),
                attempt: 1,
                reason: reason.to_owned(),
                delay: Duration::ZERO,
            });
        }
        let counted: Vec<(Option<Address>, u32, String)> =
            tally.retries().into_iter().map(|retried| (retried.address, retried.count, retried.reason)).collect();
        assert_eq!(counted, [(None, 1, "429".to_owned()), (Some(bucket), 2, "500".to_owned())]);
    }
}
