//! The log of the requests that went through the proxy.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::call::Call;
use super::lock;

/// One request and how it was answered.
#[derive(Clone, Debug)]
pub struct Record {
    /// The service by its signing name.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// The path, which names the resource in some services.
    pub path: String,
    /// Whether it changes anything.
    pub mutating: bool,
    /// Whether it is about the lease on a stack.
    pub of_lease: bool,
    /// When it came in.
    pub began: Instant,
    /// When it was answered.
    pub ended: Instant,
    /// The answer's status; `None` if the connection was dropped.
    pub status: Option<u16>,
    /// The fault or behaviour that answered instead of the emulator, or changed the answer.
    pub by: Option<String>,
    /// The request and the body of its answer, if the settings want it kept.
    pub kept: Option<(Call, String)>,
}

impl Record {
    /// `service:Operation`, the form of IAM.
    pub fn action(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }
}

/// The records of a proxy, shared with whoever reads them.
#[derive(Clone, Debug, Default)]
pub struct RequestLog {
    records: Arc<Mutex<Vec<Record>>>,
}

impl RequestLog {
    /// Adds a record.
    pub fn push(&self, record: Record) {
        lock(&self.records).push(record);
    }

    /// All records so far, in the order in which they were answered.
    pub fn all(&self) -> Vec<Record> {
        lock(&self.records).clone()
    }

    /// Returns the records since the last call of this method, and removes them.
    pub fn take(&self) -> Vec<Record> {
        std::mem::take(&mut *lock(&self.records))
    }
}

/// Returns the requests that changed something, or tried to.
pub fn mutating(records: &[Record]) -> Vec<String> {
    records
        .iter()
        .filter(|record| record.mutating)
        .map(|record| format!("{} {}", record.action(), record.path))
        .collect()
}

/// Returns the requests that changed something of the stack itself, or tried to: all but those about the lease.
pub fn changing(records: &[Record]) -> Vec<Record> {
    records.iter().filter(|record| record.mutating && !record.of_lease).cloned().collect()
}

/// Returns the longest chain of requests in which each began after the one before it had ended.
pub fn longest_chain(records: &[Record]) -> Vec<&Record> {
    let mut by_end: Vec<&Record> = records.iter().collect();
    by_end.sort_by_key(|record| record.ended);
    let mut chain: Vec<&Record> = Vec::new();
    for record in by_end {
        if chain.last().is_none_or(|last| record.began >= last.ended) {
            chain.push(record);
        }
    }
    chain
}

/// Returns the time from the first request to the last answer.
pub fn span(records: &[Record]) -> Duration {
    let began = records.iter().map(|record| record.began).min();
    let ended = records.iter().map(|record| record.ended).max();
    began.zip(ended).map(|(began, ended)| ended.duration_since(began)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Record, longest_chain};

    fn record(zero: Instant, began: u64, ended: u64) -> Record {
        let at = |milliseconds| zero + Duration::from_millis(milliseconds);
        let text = String::new;
        Record {
            service: text(),
            operation: text(),
            path: text(),
            mutating: false,
            of_lease: false,
            began: at(began),
            ended: at(ended),
            status: None,
            by: None,
            kept: None,
        }
    }

    #[test]
    fn overlapping_requests_count_once_in_a_chain() {
        let zero = Instant::now();
        let waves = [record(zero, 0, 50), record(zero, 1, 52), record(zero, 60, 110), record(zero, 61, 115)];
        assert_eq!(longest_chain(&waves).len(), 2);
        assert_eq!(longest_chain(&[record(zero, 0, 100), record(zero, 10, 20), record(zero, 30, 40)]).len(), 2);
        assert_eq!(longest_chain(&[]).len(), 0);
    }
}
