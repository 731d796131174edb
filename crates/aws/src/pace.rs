//! Requests at the rates that AWS takes them, so that it refuses none while nobody else uses the account.
//!
//! The clients of one run share the buckets of [`rates`](crate::rates), a little smaller and slower than those of AWS:
//! requests that are held up on the way arrive closer together than they were sent, and the run before this one may have
//! ended just now. Whoever gets a refusal all the same, because others use the account too, makes the whole run slower for
//! a while, not only that call.

mod bucket;
mod connection;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::{Duration, Instant, sleep};

use self::bucket::Bucket;
use crate::rates::{BucketName, buckets};
use crate::write_guard::is_read;
use peersync_engine::{Progress, rule};

pub(crate) use self::connection::{ReportRefusals, Turn, paced};

/// A wait of at least this time is shown.
const SHOWN: Duration = Duration::from_secs(2);

/// Keeps the requests of one run to AWS's rates. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Pacer {
    /// When the run began.
    began: Instant,
    buckets: Arc<Mutex<HashMap<BucketName, Arc<Queue>>>>,
}

impl Default for Pacer {
    fn default() -> Self {
        Self { began: Instant::now(), buckets: Arc::default() }
    }
}

/// The requests that wait for one bucket, in the order in which they came.
#[derive(Debug)]
struct Queue {
    /// Held by the request that is next.
    next: tokio::sync::Mutex<()>,
    bucket: Mutex<Bucket>,
}

impl Pacer {
    /// Waits until AWS takes a request of this operation, and counts it. Returns whether it had to wait.
    pub(crate) async fn admit(&self, service: &str, operation: &str) -> bool {
        let queues = self.queues(service, operation);
        let mut places = Vec::with_capacity(queues.len());
        let began = Instant::now();
        let mut shown = false;
        // The narrowest first: whoever waits for that one keeps nobody else from the others.
        for queue in &queues {
            places.push(queue.next.lock().await);
            while let Some(time) = rule!("requests-keep-to-rates", queue.wait()) {
                if !shown && began.elapsed() + time >= SHOWN {
                    shown = true;
                    let text = format!("{service} to take more requests: it limits how many come in a second");
                    Progress::current().into_iter().for_each(|progress| progress.waiting(&text));
                }
                sleep(time).await;
            }
        }
        queues.iter().for_each(|queue| queue.bucket.lock().take(Instant::now()));
        began.elapsed() > Duration::ZERO
    }

    /// Counts a request that cannot wait.
    pub(crate) fn count(&self, service: &str, operation: &str) {
        for queue in self.queues(service, operation) {
            queue.bucket.lock().take(Instant::now());
        }
    }

    /// Slows down, because AWS has refused a request of this operation: others use the account too.
    pub(crate) fn refused(&self, service: &str, operation: &str) {
        // Which of them was empty is not known; the narrowest concerns the fewest.
        if let Some(queue) = self.queues(service, operation).first() {
            rule!("refusal-slows-all-down" => {
                queue.bucket.lock().refuse(Instant::now());
            });
        }
    }

    fn queues(&self, service: &str, operation: &str) -> Vec<Arc<Queue>> {
        let mut known = self.buckets.lock();
        let queue = |(name, rate): (BucketName, _)| {
            let is_of_changes = name.1.as_deref().is_some_and(|operation| !is_read(operation));
            let new = || {
                let bucket = if is_of_changes { Bucket::of_changes(rate, self.began) } else { Bucket::shared(rate) };
                Arc::new(Queue { next: tokio::sync::Mutex::default(), bucket: Mutex::new(bucket) })
            };
            Arc::clone(known.entry(name).or_insert_with(new))
        };
        buckets(service, operation).into_iter().map(queue).collect()
    }
}

impl Queue {
    /// Returns how long the bucket is still empty; `None` if a request can be sent now.
    fn wait(&self) -> Option<Duration> {
        self.bucket.lock().wait(Instant::now())
    }
}

#[cfg(test)]
mod tests;
