//! Events for programs: one JSON object per line, each with an `event`. The last one is the result.

use serde::Serialize;
use serde_json::{Value, json};

use super::invocation::Invocation;
use super::sink::Sink;
use peersync_engine::{Event, Problem, Reporter, ResourceError};

/// A reporter that writes events as JSON lines.
pub struct Json {
    sink: Sink,
    invocation: Invocation,
}

impl Json {
    /// Creates a reporter that writes to this sink, with the commands in its hints as this program was called.
    pub fn new(sink: Sink, invocation: Invocation) -> Self {
        Self { sink, invocation }
    }
}

impl Reporter for Json {
    fn event(&self, event: &Event) {
        self.sink.line(&value(event, &self.invocation).to_string());
    }
}

/// Returns an event as JSON.
fn value(event: &Event, invocation: &Invocation) -> Value {
    match event {
        Event::ObserveStarted { total } => json!({ "event": "observe_started", "total": total }),
        Event::Observed { address } => json!({ "event": "observed", "address": address }),
        Event::Started { address, action } => json!({ "event": "started", "address": address, "action": action }),
        Event::Waiting { address, reason } => json!({ "event": "waiting", "address": address, "reason": reason }),
        Event::Retrying { address, attempt, reason, delay } => json!({
            "event": "retrying",
            "address": address,
            "attempt": attempt,
            "reason": reason,
            "delay_ms": millis(*delay),
        }),
        Event::Noted { address, text } => json!({ "event": "note", "address": address, "text": text }),
        Event::Finished { address, action, elapsed } => json!({
            "event": "finished",
            "address": address,
            "action": action,
            "elapsed_ms": millis(*elapsed),
        }),
        Event::Failed { address, action, error } => json!({
            "event": "failed",
            "address": address,
            "action": action,
            "error": ErrorOfResource::new(error, invocation),
        }),
        Event::Skipped { address, because } => json!({ "event": "skipped", "address": address, "because": because }),
        Event::Interrupted { remaining } => json!({ "event": "interrupted", "remaining": remaining }),
    }
}

/// A resource's error as programs read it.
#[derive(Serialize)]
pub(super) struct ErrorOfResource<'a> {
    #[serde(flatten)]
    problem: Problem,
    code: Option<&'a str>,
}

impl<'a> ErrorOfResource<'a> {
    /// Returns the error with the commands in its hint written out.
    pub(super) fn new(error: &'a ResourceError, invocation: &Invocation) -> Self {
        Self { problem: invocation.completed(error.problem()), code: error.code.as_deref() }
    }
}

/// Returns a duration in whole milliseconds.
pub(super) fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::sink::tests::Written;
    use super::*;
    use peersync_engine::{Action, Address};

    #[test]
    fn events_are_one_json_object_per_line() {
        let written = Written::default();
        let json = Json::new(written.sink(), Invocation::default());
        let bucket = Address::new("bucket", "site");
        let error = ResourceError::new("failed to create the bucket")
            .code(Some("BucketAlreadyExists"))
            .hint("set `site.bucket`")
            .caused_by("BucketAlreadyExists: taken\nby another account");
        for event in [
            Event::ObserveStarted { total: 1 },
            Event::Started { address: bucket.clone(), action: Action::Create },
            Event::Retrying {
                address: Some(bucket.clone()),
                attempt: 1,
                reason: "HTTP status 503".to_owned(),
                delay: Duration::from_millis(250),
            },
            Event::Failed { address: bucket, action: Action::Create, error: Arc::new(error) },
        ] {
            json.event(&event);
        }
        insta::assert_snapshot!(written.text());
    }
}
