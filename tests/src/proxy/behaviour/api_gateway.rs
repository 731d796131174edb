//! The control plane's quotas: 10 calls a second with a burst of 40, and some calls more seldom.
//! Source: "Quotas for creating, deploying and managing an API", API Gateway developer guide.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::Behave;
use crate::proxy::call::{Answer, Call};
use crate::proxy::lock;

/// Calls a second.
const RATE: f64 = 10.0;
/// Calls at once.
const BURST: f64 = 40.0;
/// Calls that have a quota of their own. AWS's time for `DeleteRestApi` is 30 s, which no test waits for.
const SELDOM: [(&str, Duration); 3] = [
    ("CreateRestApi", Duration::from_secs(3)),
    ("CreateDeployment", Duration::from_secs(5)),
    ("DeleteRestApi", Duration::from_secs(3)),
];

struct Bucket {
    tokens: f64,
    filled: Instant,
    last: HashMap<String, Instant>,
}

/// The account's token bucket.
pub(super) struct Quota {
    bucket: Mutex<Bucket>,
}

impl Default for Quota {
    fn default() -> Self {
        Self { bucket: Mutex::new(Bucket { tokens: BURST, filled: Instant::now(), last: HashMap::new() }) }
    }
}

impl Behave for Quota {
    fn before(&self, call: &Call) -> Option<Answer> {
        // The data plane of the emulators has the same host and no signature.
        if call.service != "apigateway" {
            return None;
        }
        let refused = || Some(Answer::error(call, 429, "TooManyRequestsException", "Too Many Requests"));
        let mut bucket = lock(&self.bucket);
        let now = Instant::now();
        bucket.tokens = (bucket.tokens + now.duration_since(bucket.filled).as_secs_f64() * RATE).min(BURST);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            return refused();
        }
        bucket.tokens -= 1.0;
        if let Some((name, time)) = SELDOM.iter().find(|(name, _)| *name == call.operation) {
            if bucket.last.get(*name).is_some_and(|last| now.duration_since(*last) < *time) {
                return refused();
            }
            bucket.last.insert((*name).to_owned(), now);
        }
        None
    }
}
