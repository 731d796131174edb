//! The rates at which services take requests, by service and operation. `peersync_aws::rates` has the numbers with their
//! sources; here is what AWS does with them.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use peersync_aws::rates::{BucketName, Rate, buckets};

use super::Behave;
use crate::proxy::call::{Answer, Call};
use crate::proxy::lock;
use crate::proxy::protocol::Protocol;

/// A token bucket, full at first.
#[derive(Debug)]
struct Bucket {
    rate: &'static Rate,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn new(rate: &'static Rate) -> Self {
        Self { rate, tokens: rate.burst, filled: Instant::now() }
    }

    fn has_one(&mut self) -> bool {
        let passed = self.filled.elapsed().as_secs_f64();
        self.tokens = self.rate.burst.min(self.tokens + passed * self.rate.per_second);
        self.filled = Instant::now();
        self.tokens >= 1.0
    }
}

/// The buckets of one account in one region.
#[derive(Debug, Default)]
pub(super) struct Rates {
    buckets: Mutex<HashMap<BucketName, Bucket>>,
}

impl Behave for Rates {
    fn before(&self, call: &Call) -> Option<Answer> {
        let drawn = buckets(&call.service, &call.operation);
        let mut all = lock(&self.buckets);
        for (name, rate) in &drawn {
            if !all.entry(name.clone()).or_insert_with(|| Bucket::new(rate)).has_one() {
                return Some(refusal(call));
            }
        }
        for (name, _) in &drawn {
            if let Some(bucket) = all.get_mut(name) {
                bucket.tokens -= 1.0;
            }
        }
        None
    }
}

/// The answer to a request that comes too fast, as the service sends it.
fn refusal(call: &Call) -> Answer {
    let throttled = Protocol::of(&call.service).throttled.first().copied().unwrap_or("Throttling");
    match call.service.as_str() {
        "s3" => Answer::error(call, 503, "SlowDown", "Please reduce your request rate."),
        "ec2" => Answer::error(call, 503, throttled, "Request limit exceeded."),
        "apigateway" | "lambda" => Answer::error(call, 429, throttled, "Too Many Requests"),
        _ => Answer::error(call, 400, throttled, "Rate exceeded"),
    }
}
