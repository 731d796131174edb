//! A plan as text: what is done to which resource, which field differs, and why it differs.

use peersync_engine::text;
use serde_json::Value;

use super::style::Style;
use super::words;
use peersync_engine::diff::ExpiryChange;
use peersync_engine::{Action, Address, FieldChange, Plan, Reason, Step};

/// The longest value that is shown in full, in characters.
const LONGEST_VALUE: usize = 80;

/// Returns the plan as text: one paragraph for each resource that changes, and the counts.
pub fn plan(plan: &Plan, style: Style) -> String {
    let mut lines = Vec::new();
    let (renewed, others): (Vec<&Step>, Vec<&Step>) = plan.pending().partition(|step| step.is_expiry_change());
    for pending in others {
        lines.extend(step(pending, style));
    }
    lines.extend(expiry(&renewed, style));
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines.push(counts(plan, style));
    lines.join("\n")
}

/// Returns all changes of the expiry alone as one paragraph, because they are the same for every resource.
fn expiry(steps: &[&Step], style: Style) -> Vec<String> {
    let Some(change) = steps.first().and_then(|step| step.changes.shown().next()) else { return Vec::new() };
    let mark = style.of_action(Action::Update, mark(Action::Update));
    let heading = style.bold(&text::count(steps.len(), "resource"));
    vec![format!("{mark} {heading} ({})", words::verb(Action::Update)), field(change, style)]
}

fn step(step: &Step, style: Style) -> Vec<String> {
    let mark = style.of_action(step.action, mark(step.action));
    let mut heading = format!("{mark} {} ({})", style.bold(&step.address.to_string()), words::verb(step.action));
    if !step.replace_because.is_empty() {
        heading = format!("{heading}, because it cannot be changed in place: {}", step.replace_because.join("; "));
    }
    let mut lines = vec![heading];
    // A resource that is created has only new values, which the configuration names.
    if matches!(step.action, Action::Update | Action::Replace) {
        let changes: Vec<String> = step.changes.shown().map(|change| field(change, style)).collect();
        if changes.is_empty() {
            lines.push(style.dim("      only the record of what was last applied is updated"));
        }
        lines.extend(changes);
    }
    lines
}

fn mark(action: Action) -> &'static str {
    match action {
        Action::Create => "  +",
        Action::Update => "  ~",
        Action::Replace => "-/+",
        Action::Delete => "  -",
        Action::NoChange => "   ",
    }
}

fn field(change: &FieldChange, style: Style) -> String {
    let why = match (change.expiry_change(), change.reason) {
        (Some(ExpiryChange::Set), _) => "expiry set",
        (Some(ExpiryChange::Extended), _) => "extended by `up`",
        (Some(ExpiryChange::Shortened), _) => "expiry shortened",
        (Some(ExpiryChange::Lifted), _) => "expiry lifted",
        (None, Reason::Configuration) => "configuration changed",
        (None, Reason::Drift) => "drift: changed outside peersync-deploy",
        (None, Reason::Both) => "drift and configuration changed",
        (None, Reason::Unknown) => "cause unknown",
    };
    let (old, new) = (short(&change.old), short(&change.new));
    format!("      {}: {old} → {new}  {}", change.field, style.dim(&format!("({why})")))
}

/// Returns a value in one line of limited length. The JSON form of the plan has it in full.
fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => return "(absent)".to_owned(),
        // Markers such as `(secret)` are not the user's texts.
        Value::String(text) if text.starts_with('(') && text.ends_with(')') => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= LONGEST_VALUE {
        return text;
    }
    let kept: String = text.chars().take(LONGEST_VALUE).collect();
    format!("{kept}… ({} characters)", text.chars().count())
}

/// Returns the counts: `Plan: 2 to create, 1 to change, 40 unchanged.`
pub fn counts(plan: &Plan, style: Style) -> String {
    if plan.is_empty() {
        return format!("Nothing to do: {} unchanged.", text::count(enabled(plan), "resource"));
    }
    let actions = [Action::Create, Action::Update, Action::Replace, Action::Delete];
    let mut parts: Vec<String> = actions
        .into_iter()
        .filter(|action| plan.count(*action) > 0)
        .map(|action| style.of_action(action, &format!("{} to {}", plan.count(action), words::verb(action))))
        .collect();
    if plan.count(Action::NoChange) > 0 {
        parts.push(format!("{} unchanged", plan.count(Action::NoChange)));
    }
    format!("Plan: {}.", parts.join(", "))
}

fn enabled(plan: &Plan) -> usize {
    plan.steps.len()
}

/// Returns what `down` deletes, one line per resource, in the order of deletion.
pub fn destruction(plan: &Plan, style: Style) -> String {
    let steps: Vec<&Address> = plan.pending().map(|step| &step.address).collect();
    let mut lines: Vec<String> = steps
        .iter()
        .rev()
        .map(|address| format!("{} {}", style.red("  -"), style.bold(&address.to_string())))
        .collect();
    lines.push(String::new());
    lines.push(format!("Plan: {}.", style.red(&format!("{} to delete", steps.len()))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use peersync_engine::Changes;

    fn change(field: &str, old: impl Into<Value>, new: impl Into<Value>, reason: Reason) -> FieldChange {
        FieldChange { field: field.to_owned(), old: old.into(), new: new.into(), reason }
    }

    fn step_of(name: &str, action: Action, changes: Vec<FieldChange>) -> Step {
        let address = Address::new("function", name);
        Step { address, action, changes: Changes::from_iter(changes), replace_because: Vec::new(), adopted: false }
    }

    #[test]
    fn plan_shows_every_kind_of_change_with_its_reason() {
        let mut replaced =
            step_of("host", Action::Replace, vec![change("image", "ami-1", "ami-2", Reason::Configuration)]);
        replaced.replace_because = vec!["image: the image of an instance cannot be changed".to_owned()];
        let shown = Plan {
            steps: vec![
                step_of("new", Action::Create, vec![change("memory", Value::Null, 256, Reason::Configuration)]),
                step_of(
                    "signup",
                    Action::Update,
                    vec![
                        change("memory", 128, 256, Reason::Drift),
                        change("timeout", 3, 10, Reason::Configuration),
                        change("key", "(secret)", "(secret)", Reason::Both),
                        change("policy", "x".repeat(200), Value::Null, Reason::Unknown),
                        change(
                            "tags.peersync:expires-at",
                            "2026-01-01T00:00:00Z",
                            "2026-01-02T00:00:00Z",
                            Reason::Unknown,
                        ),
                        change("tags.peersync:digest", "1.a", "1.b", Reason::Unknown),
                    ],
                ),
                step_of("seal", Action::Update, vec![change("tags.peersync:digest", "1.a", "1.b", Reason::Unknown)]),
                replaced,
                step_of("renewed", Action::Update, vec![change("tags.peersync:expires-at", "a", "b", Reason::Unknown)]),
                step_of("too", Action::Update, vec![change("tags.peersync:expires-at", "a", "b", Reason::Unknown)]),
                step_of("old", Action::Delete, Vec::new()),
                step_of("same", Action::NoChange, Vec::new()),
            ],
            conflicts: Vec::new(),
        };
        insta::assert_snapshot!(plan(&shown, Style::PLAIN));
    }

    #[test]
    fn empty_plan_is_one_line() {
        let same = Plan { steps: vec![step_of("same", Action::NoChange, Vec::new())], conflicts: Vec::new() };
        assert_eq!(plan(&same, Style::PLAIN), "Nothing to do: 1 resource unchanged.");
    }

    #[test]
    fn deletions_are_listed_in_the_order_of_deletion() {
        let steps = ["first", "second"].map(|name| step_of(name, Action::Delete, Vec::new())).to_vec();
        let text = destruction(&Plan { steps, conflicts: Vec::new() }, Style::PLAIN);
        assert_eq!(text, "  - function.second\n  - function.first\n\nPlan: 2 to delete.");
    }
}
