//! The end of a run: what changed, what was retried, what failed, how long it took, and the stack's URLs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::invocation::Invocation;
use super::json::{ErrorOfResource, millis};
use super::problem::render;
use super::style::Style;
use super::tally::Retried;
use super::words;
use peersync_engine::{Action, Address, Failed, Failure, Outcome, Problem, Skipped, text};

/// The maximum number of addresses that one line names.
const NAMED: usize = 8;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything that was planned is done.
    Done,
    /// The plan was empty.
    NothingToDo,
    /// `plan` found changes to apply.
    ChangesPending,
    /// Something failed.
    Failed,
    /// The user asked to stop.
    Interrupted,
    /// `down` left resources behind; they are named.
    Remaining,
}

/// A problem that belongs to no resource.
pub struct Summary {
    /// The command, such as `up`.
    pub command: &'static str,
    /// The stack, such as `peersync-dev`.
    pub stack: String,
    /// How the run ended.
    pub status: Status,
    /// What was done or, with `plan`, is to be done.
    pub changes: Vec<(Address, Action)>,
    /// The steps that failed.
    pub failed: Vec<Failed>,
    /// The steps that were not started because of a failure.
    pub skipped: Vec<Skipped>,
    /// The resources that were not reached because the user asked to stop, or that still exist after `down`.
    pub remaining: Vec<Address>,
    /// A problem that belongs to no resource.
    pub trouble: Option<Problem>,
    /// What was retried.
    pub retries: Vec<Retried>,
    /// The URLs and names, by stable keys.
    pub outputs: BTreeMap<&'static str, String>,
    /// How long the run took.
    pub elapsed: Duration,
    /// How the command was called: the messages name commands for the same stack.
    pub invocation: Invocation,
}

impl Summary {
    /// Creates an empty summary for this command and stack.
    pub fn new(command: &'static str, stack: impl Into<String>, status: Status) -> Self {
        Self {
            command,
            stack: stack.into(),
            status,
            changes: Vec::new(),
            failed: Vec::new(),
            skipped: Vec::new(),
            remaining: Vec::new(),
            trouble: None,
            retries: Vec::new(),
            outputs: BTreeMap::new(),
            elapsed: Duration::ZERO,
            invocation: Invocation { arguments: vec![command.to_owned()], ..Invocation::default() },
        }
    }

    /// Adds how an apply ended.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        if !outcome.failed.is_empty() {
            self.status = Status::Failed;
        } else if !outcome.remaining.is_empty() {
            self.status = Status::Interrupted;
        }
        self.changes = outcome.done;
        self.failed = outcome.failed;
        self.skipped = outcome.skipped;
        self.remaining = outcome.remaining;
        self
    }

    /// Returns the result event for programs.
    pub fn json(&self) -> Value {
        let changes: Vec<Value> =
            self.changes.iter().map(|(address, action)| json!({ "address": address, "action": action })).collect();
        let failures: Vec<FailedStep<'_>> =
            self.failed.iter().map(|failed| FailedStep::new(failed, &self.invocation)).collect();
        let skipped: Vec<Value> = self
            .skipped
            .iter()
            .map(|skipped| json!({ "address": skipped.address, "because": skipped.because }))
            .collect();
        let outputs: Map<String, Value> =
            self.outputs.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        json!({
            "event": "result",
            "command": self.command,
            "stack": self.stack,
            "status": self.status,
            "changes": changes,
            "failures": failures,
            "skipped": skipped,
            "remaining": self.remaining,
            "error": self.trouble.clone().map(|trouble| self.invocation.completed(trouble)),
            "outputs": outputs,
            "retried": self.retries.iter().map(|retried| u64::from(retried.count)).sum::<u64>(),
            "retries": self.retries,
            "elapsed_ms": millis(self.elapsed),
        })
    }

    /// Returns what went wrong, for standard error: each failure once, then what was not started.
    pub fn problems(&self, style: Style) -> String {
        let mut lines = Vec::new();
        for (failed, addresses) in grouped(&self.failed) {
            lines.push(self.failure(failed, &addresses, style));
            lines.push(String::new());
        }
        for skipped in &self.skipped {
            lines.push(style.dim(&format!("skipped: {}, because {} failed", skipped.address, skipped.because)));
        }
        if self.command == "up" && !self.remaining.is_empty() {
            lines.push(format!("not started or not finished: {}", text::list(&self.remaining, NAMED)));
        } else {
            lines.extend(self.remaining.iter().map(|address| style.yellow(&format!("still exists: {address}"))));
        }
        if let Some(trouble) = &self.trouble {
            lines.push(render(&self.invocation.completed(trouble.clone()), style));
        }
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines.join("\n")
    }

    /// Returns what was done, for standard output.
    pub fn text(&self, style: Style) -> String {
        let mut lines = vec![self.headline(style)];
        if matches!(self.status, Status::Failed | Status::Interrupted | Status::Remaining) && !self.all_applied() {
            lines.extend(self.already_done());
            lines.push(format!("Run `{}` again to continue from here.", self.invocation.again()));
        }
        lines.extend(self.retry_lines());
        if !self.outputs.is_empty() {
            lines.push(String::new());
            lines.push(outputs(&self.outputs, style));
        }
        lines.join("\n")
    }

    fn failure(&self, failed: &Failed, addresses: &[&Address], style: Style) -> String {
        let mut problem = self.invocation.completed(failed.error.problem());
        problem.summary = format!("{} ({})", problem.summary, text::list(addresses, NAMED));
        render(&problem, style)
    }

    fn headline(&self, style: Style) -> String {
        let time = words::elapsed(self.elapsed);
        let what = match self.status {
            Status::NothingToDo => format!("Nothing to do for {}", self.stack),
            Status::ChangesPending => format!("{} has pending changes", self.stack),
            Status::Done => {
                style.green(&format!("{} is {}", self.stack, if self.command == "up" { "up" } else { "removed" }))
            }
            Status::Failed if self.all_applied() => {
                style.red(&format!("{} is applied, but does not answer", self.stack))
            }
            Status::Failed => style.red(&format!("{} is incomplete", self.stack)),
            Status::Interrupted => style.yellow(&format!("{} was stopped", self.stack)),
            Status::Remaining => style.yellow(&format!("{} is not completely removed", self.stack)),
        };
        let counts = self.counts();
        if counts.is_empty() {
            format!("{what} ({time}).")
        } else {
            format!("{what}: {} in {time}.", counts.join(", "))
        }
    }

    /// Returns whether all resources are as planned, whatever else went wrong.
    fn all_applied(&self) -> bool {
        self.failed.is_empty() && self.skipped.is_empty() && self.remaining.is_empty()
    }

    fn counts(&self) -> Vec<String> {
        let actions = [Action::Create, Action::Update, Action::Replace, Action::Delete];
        let mut counts: Vec<String> = actions
            .into_iter()
            .map(|action| (self.changes.iter().filter(|(_, done)| *done == action).count(), words::done(action)))
            .filter(|(number, _)| *number > 0)
            .map(|(number, done)| format!("{number} {done}"))
            .collect();
        if self.status == Status::ChangesPending {
            counts.clear();
        }
        let others =
            [(self.failed.len(), "failed"), (self.skipped.len(), "skipped"), (self.remaining.len(), "remaining")];
        counts.extend(others.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")));
        counts
    }

    /// Returns what an incomplete run has done, by name: the user must know what exists now.
    fn already_done(&self) -> Vec<String> {
        let actions = [Action::Create, Action::Update, Action::Replace, Action::Delete];
        let of = |action| self.changes.iter().filter(move |(_, done)| *done == action).map(|(address, _)| address);
        actions
            .into_iter()
            .filter(|action| of(*action).next().is_some())
            .map(|action| {
                format!("  {}: {}", words::done(action), text::list(&of(action).collect::<Vec<_>>(), usize::MAX))
            })
            .collect()
    }

    fn retry_lines(&self) -> Vec<String> {
        let total: u32 = self.retries.iter().map(|retried| retried.count).sum();
        if total == 0 {
            return Vec::new();
        }
        let mut lines = vec![format!("Retried {}:", text::count(usize::try_from(total).unwrap_or(usize::MAX), "call"))];
        lines.extend(self.retries.iter().map(|retried| {
            let who = retried.address.as_ref().map_or_else(|| "the account".to_owned(), ToString::to_string);
            format!("  {who}: {}×, last reason: {}", retried.count, retried.reason)
        }));
        lines
    }
}

/// A step that failed, as programs read it.
#[derive(Serialize)]
struct FailedStep<'a> {
    address: &'a Address,
    action: Action,
    #[serde(flatten)]
    error: ErrorOfResource<'a>,
}

impl<'a> FailedStep<'a> {
    fn new(failed: &'a Failed, invocation: &Invocation) -> Self {
        let error = ErrorOfResource::new(&failed.error, invocation);
        Self { address: &failed.address, action: failed.action, error }
    }
}

/// Groups failures by cause: wrong credentials or a broken network fail everything at once and are shown once.
fn grouped(failed: &[Failed]) -> Vec<(&Failed, Vec<&Address>)> {
    let mut groups: Vec<(&Failed, Vec<&Address>)> = Vec::new();
    for failure in failed {
        let common = matches!(failure.error.failure, Failure::Credentials | Failure::Unreachable);
        let same = groups.iter_mut().find(|(first, _)| common && same_cause(first, failure));
        match same {
            Some((_, addresses)) => addresses.push(&failure.address),
            None => groups.push((failure, vec![&failure.address])),
        }
    }
    groups
}

fn same_cause(first: &Failed, second: &Failed) -> bool {
    first.error.failure == second.error.failure && first.error.code == second.error.code
}

/// Returns the lines of one failure: its summary, the resources, the causes and the hint.
/// Returns keys and values, with the keys in words and in one column.
pub fn outputs(outputs: &BTreeMap<&'static str, String>, style: Style) -> String {
    let width = outputs.keys().map(|key| key.len()).max().unwrap_or(0);
    let rows = outputs.iter().map(|(key, value)| {
        let name = format!("{:width$}", key.replace('_', " "));
        format!("  {}  {value}", style.dim(&name))
    });
    rows.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use peersync_engine::ResourceError;

    fn address(name: &str) -> Address {
        Address::new("table", name)
    }

    fn failed(name: &str, error: ResourceError) -> Failed {
        Failed { address: address(name), action: Action::Create, error: Arc::new(error) }
    }

    fn expired() -> ResourceError {
        ResourceError::new("failed to create the table")
            .failure(Failure::Credentials)
            .code(Some("ExpiredTokenException"))
            .caused_by("ExpiredTokenException: The security token included in the request is expired")
            .hint("the credentials are expired: run `aws sso login`")
    }

    fn summary() -> Summary {
        let outcome = Outcome {
            done: vec![(address("Users"), Action::Create), (address("Ephemeral"), Action::Update)],
            failed: vec![
                failed(
                    "Denied",
                    ResourceError::new("failed to tag the table")
                        .failure(Failure::Denied)
                        .caused_by("AccessDeniedException: User is not authorized to perform: dynamodb:TagResource")
                        .hint("give your role the permissions that `peersync-deploy policy` prints"),
                ),
                failed("First", expired()),
                failed("Second", expired()),
            ],
            skipped: vec![Skipped { address: address("Third"), because: address("Second") }],
            ..Outcome::default()
        };
        let mut summary = Summary::new("up", "peersync-dev", Status::Done).with_outcome(outcome);
        summary.elapsed = Duration::from_millis(12_345);
        summary.retries = vec![
            Retried { address: Some(address("Users")), count: 3, reason: "HTTP status 503".to_owned() },
            Retried { address: None, count: 1, reason: "no answer".to_owned() },
        ];
        summary
    }

    #[test]
    fn failures_are_shown_once_and_done_steps_are_listed() {
        let summary = summary();
        let text = format!("{}\n---\n{}", summary.problems(Style::PLAIN), summary.text(Style::PLAIN));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn json_result_contains_the_whole_summary() {
        let pretty = serde_json::to_string_pretty(&summary().json()).unwrap_or_default();
        insta::assert_snapshot!(pretty);
    }

    #[test]
    fn successful_summary_names_the_urls() {
        let mut summary = Summary::new("up", "peersync-dev", Status::Done);
        summary.changes = vec![(address("Users"), Action::Create)];
        summary.elapsed = Duration::from_secs(75);
        summary.outputs = BTreeMap::from([
            ("site_url", "https://d1.cloudfront.net".to_owned()),
            ("api_url", "https://d1.cloudfront.net/api".to_owned()),
        ]);
        assert_eq!(summary.problems(Style::PLAIN), "");
        insta::assert_snapshot!(summary.text(Style::PLAIN), @r"
        peersync-dev is up: 1 created in 1 min 15 s.

          api url   https://d1.cloudfront.net/api
          site url  https://d1.cloudfront.net
        ");
    }

    #[test]
    fn interrupted_summary_lists_remaining_resources() {
        let outcome = Outcome {
            done: vec![(address("Users"), Action::Delete)],
            remaining: vec![address("Ephemeral")],
            ..Outcome::default()
        };
        let summary = Summary::new("down", "peersync-dev", Status::Done).with_outcome(outcome);
        let text = format!("{}\n---\n{}", summary.problems(Style::PLAIN), summary.text(Style::PLAIN));
        insta::assert_snapshot!(text, @r"
        still exists: table.Ephemeral
        ---
        peersync-dev was stopped: 1 deleted, 1 remaining in 0.0 s.
          deleted: table.Users
        Run `peersync-deploy down` again to continue from here.
        ");
    }
}
