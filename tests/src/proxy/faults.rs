//! Faults at a rate: throttling, errors, dropped and slow connections. A seed makes a run repeatable.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Mutex;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::call::{Answer, Call};
use super::lock;
use super::protocol::Protocol;

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The service's own throttling error, with status 400 as the JSON and query services send it.
    Throttled,
    /// Status 429.
    TooManyRequests,
    /// Status 503, `SlowDown` from S3.
    SlowDown,
    /// Status 500.
    Internal,
    /// The connection is closed before AWS has received the request.
    DroppedBefore,
    /// The connection is closed after AWS has executed the request.
    DroppedAfter,
    /// The answer is slow.
    Slow,
}

impl Fault {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Throttled,
        Self::TooManyRequests,
        Self::SlowDown,
        Self::Internal,
        Self::DroppedBefore,
        Self::DroppedAfter,
        Self::Slow,
    ];

    /// Returns the answer that replaces AWS's, if the fault is an answer.
    pub fn answer(self, call: &Call) -> Option<Answer> {
        let codes = Protocol::of(&call.service).throttled;
        // Any of them, always the same for the same request.
        let throttled = codes.get(call.body.len() % codes.len()).copied().unwrap_or("Throttling");
        match self {
            Self::Throttled if call.service == "s3" => Some(slow_down(call)),
            Self::Throttled => Some(Answer::error(call, 400, throttled, "Rate exceeded")),
            Self::TooManyRequests => Some(Answer::error(call, 429, throttled, "Rate exceeded")),
            Self::SlowDown => Some(slow_down(call)),
            Self::Internal => Some(Answer::error(call, 500, "InternalError", "We encountered an internal error.")),
            Self::DroppedBefore | Self::DroppedAfter | Self::Slow => None,
        }
    }
}

fn slow_down(call: &Call) -> Answer {
    let code = if call.service == "s3" { "SlowDown" } else { "ServiceUnavailable" };
    Answer::error(call, 503, code, "Please reduce your request rate.")
}

/// Decides which requests fail, and how.
#[derive(Debug)]
pub struct Faults {
    kinds: Vec<Fault>,
    rule: Rule,
    seen: Mutex<HashMap<String, u64>>,
}

/// Selects the requests of one form that fail.
#[derive(Debug)]
enum Rule {
    /// Random ones, at this rate, with this seed.
    Rate(f64, u64),
    /// The first and the third of the selected requests.
    First(fn(&Call) -> bool),
}

impl Faults {
    /// These kinds, at this rate from 0 to 1.
    pub fn new(kinds: &[Fault], rate: f64, seed: u64) -> Self {
        Self { kinds: kinds.to_vec(), rule: Rule::Rate(rate, seed), seen: Mutex::default() }
    }

    /// Injects this fault into the first occurrence of each selected request, and into the third, which comes if the
    /// second was answered with "already exists" and the existing resource was deleted for that.
    pub fn of_each_first(kind: Fault, meant: fn(&Call) -> bool) -> Self {
        Self { kinds: vec![kind], rule: Rule::First(meant), seen: Mutex::default() }
    }

    /// Chooses the fault for this request. The n-th request of one form gets the same one in every run.
    pub fn choose(&self, call: &Call) -> Option<Fault> {
        let mut form = format!("{}:{} {} {}", call.service, call.operation, call.method, call.uri.path());
        if let Rule::First(_) = self.rule {
            // Another body is another change: all tables are created under one path.
            form.push_str(&call.text());
        }
        let number = {
            let mut seen = lock(&self.seen);
            let count = seen.entry(form.clone()).or_default();
            *count += 1;
            *count
        };
        match self.rule {
            Rule::First(meant) => {
                let first = (number == 1 || number == 3) && meant(call);
                first.then(|| self.kinds.first().copied()).flatten()
            }
            Rule::Rate(rate, seed) => {
                let mut hasher = DefaultHasher::new();
                (seed, form, number).hash(&mut hasher);
                let mut random = StdRng::seed_from_u64(hasher.finish());
                random.random_bool(rate).then(|| self.kinds.choose(&mut random).copied()).flatten()
            }
        }
    }
}
