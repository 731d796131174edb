//! Buckets: concurrent changes and deletions are refused, and the name of a deleted bucket is not free at once.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use super::{Behave, Moments};
use crate::proxy::call::{Answer, Call};
use crate::proxy::lock;

#[derive(Default)]
struct Buckets {
    /// The number of remaining refusals of each new bucket.
    refusals: HashMap<String, u32>,
    /// Those whose deletion was refused once.
    kept: HashSet<String>,
    deleted: Moments,
    /// Deleted ones whose names somebody has asked for since.
    asked: HashSet<String>,
}

/// Concurrent changes of buckets.
pub(super) struct OperationAborted {
    time: Duration,
    buckets: Mutex<Buckets>,
}

/// How many of the first changes of a new bucket are refused.
const FIRST_REFUSALS: u32 = 2;

impl OperationAborted {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, buckets: Mutex::default() }
    }
}

impl Behave for OperationAborted {
    fn before(&self, call: &Call) -> Option<Answer> {
        // Of the bucket itself, not of its objects.
        let bucket = call.bucket().filter(|_| call.mutating() && call.segment(1).is_none_or(|key| key.is_empty()))?;
        let mut buckets = lock(&self.buckets);
        let refused = if call.operation == "CreateBucket" {
            // The first time is too early, however long it took.
            let is_first = buckets.deleted.knows(&bucket) && buckets.asked.insert(bucket.clone());
            is_first || buckets.deleted.within(&bucket, self.time)
        } else if call.operation == "DeleteBucket" {
            buckets.kept.insert(bucket)
        } else {
            match buckets.refusals.get_mut(&bucket) {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    true
                }
                _ => false,
            }
        };
        let message = "A conflicting conditional operation is currently in progress against this resource.";
        refused.then(|| Answer::error(call, 409, "OperationAborted", message))
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        let Some(bucket) = call.bucket().filter(|_| answer.ok()) else { return };
        match call.operation.as_str() {
            "CreateBucket" => {
                lock(&self.buckets).refusals.entry(bucket).or_insert(FIRST_REFUSALS);
            }
            "DeleteBucket" => {
                let mut buckets = lock(&self.buckets);
                buckets.refusals.remove(&bucket);
                buckets.kept.remove(&bucket);
                buckets.deleted.set(bucket);
            }
            _ => {}
        }
    }
}
