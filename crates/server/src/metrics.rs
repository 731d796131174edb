//! What the programs count for the owner of the stack, and how CloudWatch gets to know it: as lines of the log in its
//! embedded metric format, <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.
//!
//! A line has numbers and the names below, and nothing else. CloudWatch charges for each metric in each hour in which it gets
//! a value, so there are few, without dimensions, and what did not happen is not written.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

/// The number of values that one metric may have in a line, by the format. More answers than that in a minute are not
/// measured.
const MOST_VALUES: usize = 100;
/// The first part of the namespace.
const NAMESPACE: &str = "PeerSync";

/// Something that is counted or measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Accounts that were confirmed by their first sign-in.
    SignUps,
    /// Sign-ins, by link or code, the first ones included.
    SignIns,
    /// Mails that their carrier has accepted.
    MailsSent,
    /// Mails that it has not, after all attempts.
    MailsFailed,
    /// Errors in the logs of all programs, panics included.
    Errors,
    /// Rooms in which somebody was, and a second one came.
    CallsStarted,
    /// Calls in which a client told that it reached another one directly.
    CallsDirect,
    /// Calls in which a client told that it reached another one by a relay.
    CallsRelayed,
    /// Calls in which a client told that it found no way to another one for 15 seconds.
    CallsFailed,
    /// The time from a ring to its answer, in seconds.
    RingToAnswer,
    /// WebSocket connections that are open.
    Sockets,
    /// How long the signaling server has been running, in seconds. It is written every minute, so that its absence tells.
    Uptime,
    /// Bytes that the relay has passed on, with the headers that AWS counts. It is written every minute, also if there were
    /// none.
    RelayedBytes,
    /// How much of the traffic of a month has been relayed, in percent.
    RelayBudgetUsed,
    /// The days until the certificate of a host with a name of its own ends; 0 if it gets none.
    CertificateDays,
}

impl Metric {
    /// All metrics, in the order of their discriminants.
    pub const ALL: [Self; 15] = [
        Self::SignUps,
        Self::SignIns,
        Self::MailsSent,
        Self::MailsFailed,
        Self::Errors,
        Self::CallsStarted,
        Self::CallsDirect,
        Self::CallsRelayed,
        Self::CallsFailed,
        Self::RingToAnswer,
        Self::Sockets,
        Self::Uptime,
        Self::RelayedBytes,
        Self::RelayBudgetUsed,
        Self::CertificateDays,
    ];

    /// Returns its name in CloudWatch.
    pub fn name(self) -> &'static str {
        match self {
            Self::SignUps => "SignUps",
            Self::SignIns => "SignIns",
            Self::MailsSent => "MailsSent",
            Self::MailsFailed => "MailsFailed",
            Self::Errors => "Errors",
            Self::CallsStarted => "CallsStarted",
            Self::CallsDirect => "CallsDirect",
            Self::CallsRelayed => "CallsRelayed",
            Self::CallsFailed => "CallsFailed",
            Self::RingToAnswer => "RingToAnswer",
            Self::Sockets => "Sockets",
            Self::Uptime => "Uptime",
            Self::RelayedBytes => "RelayedBytes",
            Self::RelayBudgetUsed => "RelayBudgetUsed",
            Self::CertificateDays => "CertificateDays",
        }
    }

    /// Returns its unit in CloudWatch, one of `StandardUnit`.
    pub fn unit(self) -> &'static str {
        match self {
            Self::RingToAnswer | Self::Uptime => "Seconds",
            Self::RelayedBytes => "Bytes",
            Self::RelayBudgetUsed => "Percent",
            // There is no unit for days.
            Self::CertificateDays => "None",
            _ => "Count",
        }
    }
}

/// Returns the namespace of a stack's metrics.
pub fn namespace(stack: &str) -> String {
    format!("{NAMESPACE}/{stack}")
}

/// A metric with its values in one line.
pub type Measured = (Metric, Vec<f64>);

/// What happened since it was last asked.
#[derive(Debug, Default)]
pub struct Tally {
    counts: [AtomicU64; Metric::ALL.len()],
    /// Seconds from rings to their answers.
    answers: Mutex<Vec<f64>>,
}

impl Tally {
    /// Counts something that happened once.
    pub fn count(&self, metric: Metric) {
        self.add(metric, 1);
    }

    /// Counts something that happened so often.
    pub fn add(&self, metric: Metric, times: u64) {
        if let Some(count) = self.counts.get(metric as usize) {
            count.fetch_add(times, Ordering::Relaxed);
        }
    }

    /// Notes how long a ring took to be answered, in seconds.
    pub fn answered(&self, seconds: f64) {
        let mut answers = self.answers.lock();
        if answers.len() < MOST_VALUES {
            answers.push(seconds);
        }
    }

    /// Returns what happened since the last call. What did not is not in it.
    pub fn take(&self) -> Vec<Measured> {
        let counts = Metric::ALL.into_iter().zip(&self.counts);
        let counts = counts.map(|(metric, count)| (metric, count.swap(0, Ordering::Relaxed)));
        let mut taken: Vec<Measured> =
            counts.filter(|(_, count)| *count > 0).map(|(metric, count)| (metric, vec![as_number(count)])).collect();
        let answers = std::mem::take(&mut *self.answers.lock());
        if !answers.is_empty() {
            taken.push((Metric::RingToAnswer, answers));
        }
        taken
    }
}

/// Returns a number as metrics have it. Beyond 2^53 it is not exact.
pub fn as_number(number: u64) -> f64 {
    number as f64
}

/// Returns the line with these values, at `now` in seconds since 1970; `None` without a value.
pub fn line(stack: &str, measured: &[Measured], now: i64) -> Option<String> {
    let kept = |values: &Vec<f64>| -> Vec<f64> {
        values.iter().copied().filter(|value| value.is_finite()).take(MOST_VALUES).collect()
    };
    let measured = measured.iter().map(|(metric, values)| (metric, kept(values)));
    let measured: Vec<_> = measured.filter(|(_, values)| !values.is_empty()).collect();
    if measured.is_empty() {
        return None;
    }
    let defined: Vec<Value> =
        measured.iter().map(|(metric, _)| json!({ "Name": metric.name(), "Unit": metric.unit() })).collect();
    let directive = json!({ "Namespace": namespace(stack), "Dimensions": [[]], "Metrics": defined });
    let mut root = Map::new();
    root.insert("_aws".to_owned(), json!({ "Timestamp": now.saturating_mul(1000), "CloudWatchMetrics": [directive] }));
    for (metric, values) in measured {
        let value = if let [value] = values.as_slice() { json!(value) } else { json!(values) };
        root.insert(metric.name().to_owned(), value);
    }
    Some(Value::Object(root).to_string())
}

/// Writes a line with these values to the log, if there are any. The log may be on a full disk, which is no reason to end.
pub fn write(stack: &str, measured: &[Measured], now: i64) {
    if let Some(mut line) = line(stack, measured, now) {
        line.push('\n');
        // One call, so that no other line of the log can be inside.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}

#[cfg(test)]
mod tests;
