//! The command `status`: prints each resource with its state, and how the stack is at present.

mod now;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use self::now::Now;
use super::run::{Run, heading};
use super::{CommandError, Context, Exit};
use crate::cli::StatusArgs;
use crate::report::Style;
use peersync_engine::{Action, Address, Plan, Reason, Step, text};
use peersync_operations::{DeployError, ObservedStack, until_stopped};

/// The state of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It matches the configuration.
    Ok,
    /// It was changed outside peersync-deploy.
    Drifted,
    /// It is as last applied, but the configuration has changed since, or what it depends on is missing.
    Outdated,
    /// It has a secret that cannot be compared, because its environment variable is not set. The rest is in sync.
    NotCompared,
    /// It is enabled but does not exist.
    Missing,
    /// It exists but is no longer enabled.
    Unwanted,
    /// It has a name of this stack but is not managed by it.
    Foreign,
    /// It could not be read.
    Unreadable,
}

/// One row of the table.
#[derive(Debug, Serialize)]
struct Row {
    address: Address,
    state: State,
    /// Which fields differ, or why the state is as it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
}

/// Runs the command.
///
/// # Errors
/// Fails if AWS denies access, and, after showing the others, if resources cannot be read.
pub async fn run(context: &Context, _: &StatusArgs) -> Result<Exit, CommandError> {
    let run = Run::new(context);
    run.name_configuration(context)?;
    let stack = run.filled_stack(context, None).await?;
    let observed = run.observe(&stack).await?;
    let expires_at = observed.expires_at();
    let plan = observed.plan(&observed.options_without_renewal(&stack));
    let rows = rows(&observed, &plan);
    for row in &rows {
        run.report
            .event(&json!({ "event": "resource", "address": row.address, "state": row.state, "detail": row.detail }));
    }
    let style = run.report.style();
    let now = if observed.is_deployed() {
        Some(until_stopped(&run.interrupt, run.report.attributed(Now::read(&stack, &observed))).await?)
    } else {
        None
    };
    run.report.data(&match &now {
        Some(now) => {
            let resources = text(&heading(&stack), &rows, expires_at.as_deref(), style);
            format!("{resources}\n\n{}", now.text(style))
        }
        None => text_without_stack(&heading(&stack), &rows, style),
    });
    if !observed.observation.errors.is_empty() {
        return Err(DeployError::Unreadable(observed.observation.errors).into());
    }
    let mut result = json!({
        "event": "result",
        "command": "status",
        "status": "done",
        "stack": stack.name(),
        "deployed": observed.is_deployed(),
        "expires_at": expires_at,
        "counts": counts(&rows),
        "resources": rows,
        "elapsed_ms": run.report.elapsed_ms(),
    });
    let now = now.unwrap_or_default().json();
    if let (Some(result), Value::Object(now)) = (result.as_object_mut(), now) {
        result.extend(now);
    }
    run.report.event(&result);
    Ok(Exit::Done)
}

fn rows(observed: &ObservedStack, plan: &Plan) -> Vec<Row> {
    let unreadable = observed.observation.errors.iter();
    let unreadable = unreadable.map(|(address, error)| Row {
        address: address.clone(),
        state: State::Unreadable,
        detail: error.causes().first().cloned().unwrap_or_else(|| error.to_string()),
    });
    let foreign = plan.conflicts.iter().map(|conflict| Row {
        address: conflict.address.clone(),
        state: State::Foreign,
        detail: format!("{}: {}", conflict.id, conflict.reason),
    });
    let failed = |address: &Address| observed.observation.errors.iter().any(|(unread, _)| unread == address);
    let planned = plan.steps.iter().filter(|step| !failed(&step.address));
    let planned = planned.map(row);
    let mut rows: Vec<Row> = unreadable.chain(foreign).chain(planned).collect();
    rows.sort_by(|first, second| first.address.cmp(&second.address));
    rows
}

/// Returns the row of a planned step.
fn row(step: &Step) -> Row {
    let state = match step.action {
        Action::NoChange if !step.not_compared.is_empty() => State::NotCompared,
        Action::NoChange => State::Ok,
        Action::Create => State::Missing,
        Action::Delete => State::Unwanted,
        // Only the record of what was applied is of another version.
        Action::Update if step.changes.shown().next().is_none() => State::Ok,
        Action::Update | Action::Replace => {
            let drifted = step.changes.shown().any(|change| matches!(change.reason, Reason::Drift | Reason::Both));
            if drifted { State::Drifted } else { State::Outdated }
        }
    };
    let mut details: Vec<String> = Vec::new();
    if matches!(state, State::Drifted | State::Outdated) {
        details.extend(step.changes.shown().map(|change| change.field.clone()));
        details.extend(step.follows_from.iter().map(|address| format!("follows from {address}")));
        if details.is_empty() {
            details.clone_from(&step.replace_because);
        }
    }
    let prefix = if state == State::NotCompared { "" } else { "not compared: " };
    details.extend(step.not_compared.iter().map(|reason| format!("{prefix}{reason}")));
    Row { address: step.address.clone(), state, detail: details.join(", ") }
}

fn counts(rows: &[Row]) -> BTreeMap<State, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row.state).or_default() += 1;
    }
    counts
}

fn word(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Drifted => "drifted",
        State::Outdated => "outdated",
        State::NotCompared => "not compared",
        State::Missing => "missing",
        State::Unwanted => "unwanted",
        State::Foreign => "foreign",
        State::Unreadable => "unreadable",
    }
}

/// Returns the text about a stack of which nothing exists: only what is in its way.
fn text_without_stack(heading: &str, rows: &[Row], style: Style) -> String {
    let (missing, others): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.state == State::Missing);
    let mut lines = vec![style.bold(heading), String::new()];
    if !others.is_empty() {
        lines.extend([table(others.into_iter(), style), String::new()]);
    }
    let resources = text::count(missing.len(), "resource");
    lines.push(format!("Not deployed. `peersync-deploy up` creates {resources}."));
    lines.join("\n")
}

fn text(heading: &str, rows: &[Row], expires_at: Option<&str>, style: Style) -> String {
    let mut lines = vec![style.bold(heading), String::new(), table(rows.iter(), style), String::new()];
    let counts: Vec<String> =
        counts(rows).into_iter().map(|(state, number)| format!("{number} {}", word(state))).collect();
    lines.push(format!("{}.", counts.join(", ")));
    lines.push(match expires_at {
        Some(moment) => format!("Expires at {moment}; `up` extends that if the configuration sets a duration."),
        None => "Does not expire.".to_owned(),
    });
    lines.join("\n")
}

fn table<'a>(rows: impl Iterator<Item = &'a Row> + Clone, style: Style) -> String {
    let width = rows.clone().map(|row| row.address.to_string().chars().count()).max().unwrap_or(0);
    let lines = rows.map(|row| {
        let state = match row.state {
            State::Ok => style.green(word(row.state)),
            State::Missing | State::Foreign | State::Unreadable => style.red(word(row.state)),
            State::Drifted | State::Outdated | State::NotCompared | State::Unwanted => style.yellow(word(row.state)),
        };
        let detail = if row.detail.is_empty() { String::new() } else { format!("  {}", style.dim(&row.detail)) };
        format!("  {:width$}  {state}{detail}", row.address.to_string())
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use peersync_engine::{Changes, FieldChange};

    fn step(name: &str, action: Action, reason: Reason) -> Step {
        let change = FieldChange { field: "memory".to_owned(), old: 1.into(), new: 2.into(), reason };
        let changes = if action == Action::Update { Changes::from_iter([change]) } else { Changes::default() };
        Step::new(Address::new("function", name), action, changes)
    }

    #[test]
    fn stack_that_does_not_exist_is_said_once() {
        let steps = [step("a", Action::Create, Reason::Unknown), step("b", Action::Create, Reason::Unknown)];
        let rows: Vec<Row> = steps.iter().map(row).collect();
        insta::assert_snapshot!(text_without_stack("peersync-dev", &rows, Style::PLAIN), @r"
        peersync-dev

        Not deployed. `peersync-deploy up` creates 2 resources.
        ");
    }

    #[test]
    fn table_shows_the_state_of_each_resource() {
        let steps = [
            step("a", Action::NoChange, Reason::Unknown),
            step("b", Action::Create, Reason::Unknown),
            step("c", Action::Update, Reason::Drift),
            step("d", Action::Update, Reason::Configuration),
            step("e", Action::Delete, Reason::Unknown),
        ];
        let mut rows: Vec<Row> = steps.iter().map(row).collect();
        let not_compared = vec!["value: SMTP_PASS is not set".to_owned()];
        rows.push(row(&Step { not_compared, ..step("f", Action::NoChange, Reason::Unknown) }));
        let follows_from = vec![Address::new("host", "signal")];
        rows.push(row(&Step { follows_from, ..step("g", Action::Update, Reason::Consequence) }));
        insta::assert_snapshot!(table(rows.iter(), Style::PLAIN), @r"
          function.a  ok
          function.b  missing
          function.c  drifted  memory
          function.d  outdated  memory
          function.e  unwanted
          function.f  not compared  value: SMTP_PASS is not set
          function.g  outdated  memory, follows from host.signal
        ");
    }
}
