//! A plan as text: what is done to which resource, which field differs, and why it differs.

use peersync_engine::text;

use super::difference::{self, What};
use super::style::Style;
use super::words;
use peersync_engine::diff::ExpiryChange;
use peersync_engine::{Action, Address, FieldChange, Plan, Reason, Step};

/// The maximum number of resources that share a paragraph by name.
const NAMED: usize = 4;

/// Returns the plan as text: a line for each resource that is created or deleted, a paragraph for each that changes, and
/// the counts.
pub fn plan(plan: &Plan, style: Style) -> String {
    let created = plan.pending().filter(|step| step.action == Action::Create);
    let width = created.map(|step| step.address.to_string().chars().count()).max().unwrap_or(0);
    let (others, groups) = divided(plan, style);
    let mut lines = Vec::new();
    for pending in others {
        lines.extend(match pending.action {
            Action::Create => vec![creation(pending, width, style)],
            _ => step(pending, style),
        });
    }
    for (changes, steps) in groups {
        lines.push(heading_of(&steps, style));
        lines.extend(changes);
    }
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines.push(counts(plan, style));
    lines.join("\n")
}

/// Steps that change the same, and the lines that say what.
pub(super) type Group<'a> = (Vec<String>, Vec<&'a Step>);

/// Divides the pending steps into those that are shown one by one, and groups of those that change the same tags.
pub(super) fn divided(plan: &Plan, style: Style) -> (Vec<&Step>, Vec<Group<'_>>) {
    let changes_tags_alone = |step: &&Step| step.action == Action::Update && !step.changes.fields();
    let (alike, others): (Vec<&Step>, Vec<&Step>) = plan.pending().partition(changes_tags_alone);
    let groups = grouped(&alike, style);
    (others, groups)
}

/// Groups steps that change the same tags in the same way: a tag of the configuration is on every resource.
fn grouped<'a>(steps: &[&'a Step], style: Style) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for step in steps {
        let lines = changed_fields(step, style);
        match groups.iter_mut().find(|(same, _)| *same == lines) {
            Some((_, steps)) => steps.push(step),
            None => groups.push((lines, vec![step])),
        }
    }
    groups
}

fn heading_of(steps: &[&Step], style: Style) -> String {
    let mark = style.of_action(Action::Update, mark(Action::Update));
    let addresses: Vec<String> = steps.iter().map(|step| step.address.to_string()).collect();
    match addresses.as_slice() {
        [address] => format!("{mark} {} ({})", style.bold(address), words::verb(Action::Update)),
        several => {
            let number = style.bold(&text::count(several.len(), "resource"));
            format!("{mark} {number} ({}): {}", words::verb(Action::Update), text::list(several, NAMED))
        }
    }
}

/// Returns the line of a resource that is created: its name, and the fields that matter most.
fn creation(step: &Step, width: usize, style: Style) -> String {
    let address = format!("{:width$}", step.address.to_string());
    let name = step.name.iter().map(|name| format!("  {name}"));
    let line: String = [format!("{} {}", style.of_action(step.action, mark(step.action)), style.bold(&address))]
        .into_iter()
        .chain(name)
        .chain(highlights(step).map(|text| format!("  {}", style.dim(&text))))
        .collect();
    line.trim_end().to_owned()
}

/// Returns the fields that matter most, each with its value.
pub(super) fn highlights(step: &Step) -> impl Iterator<Item = String> {
    let of = |name: &str| step.changes.iter().find(|change| change.field == name);
    let fields = step.highlights.iter().filter_map(move |name| of(name.as_str()));
    fields.map(|change| format!("{}: {}", change.field, difference::short(&change.new)))
}

fn step(step: &Step, style: Style) -> Vec<String> {
    let mark = style.of_action(step.action, mark(step.action));
    let address = style.bold(&step.address.to_string());
    let heading = match step.replace_because.as_slice() {
        [] => format!("{mark} {address} ({})", words::verb(step.action)),
        reasons => format!("{mark} {address} must be replaced: {}", reasons.join("; ")),
    };
    let is_explained = step.action == Action::Delete || (!step.replace_because.is_empty() && !has_shown(step));
    let changes = if is_explained { Vec::new() } else { changed_fields(step, style) };
    [heading].into_iter().chain(changes).collect()
}

/// Returns whether anything differs that people see.
fn has_shown(step: &Step) -> bool {
    step.changes.shown().next().is_some()
}

/// Returns the lines of the fields that differ.
fn changed_fields(step: &Step, style: Style) -> Vec<String> {
    let lines: Vec<String> = step.changes.shown().flat_map(|change| field(step, change, style)).collect();
    if lines.is_empty() {
        return vec![style.dim(&format!("      {}", words::ONLY_RECORDS))];
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

/// Returns the lines of one field: one for a single difference, or else a heading with a line for each below.
fn field(step: &Step, change: &FieldChange, style: Style) -> Vec<String> {
    let why = style.dim(&format!("({})", reason(step, change)));
    let parts = difference::parts(&change.field, &change.old, &change.new);
    let part = |part: &difference::Part| {
        let path = &part.path;
        match &part.what {
            What::Changed(old, new) => format!("{path}: {old} → {new}"),
            What::Added(text) => format!("{path}: {}", style.green(&format!("+ {text}"))),
            What::Removed(text) => format!("{path}: {}", style.red(&format!("- {text}"))),
            What::Words(text) => format!("{path}: {text}"),
            What::More(number) => {
                format!("{path}: {} more, which `--output json` shows", text::count(*number, "difference"))
            }
        }
    };
    match parts.as_slice() {
        [single] => vec![format!("      {}  {why}", part(single))],
        several => {
            let lines = several.iter().map(|one| format!("        {}", part(one)));
            [format!("      {}  {why}", change.field)].into_iter().chain(lines).collect()
        }
    }
}

/// Returns why a field differs.
pub(super) fn reason(step: &Step, change: &FieldChange) -> String {
    let drifted = matches!(change.reason, Reason::Drift | Reason::Both);
    let words = match (change.expiry_change().filter(|_| !drifted), change.reason) {
        (Some(ExpiryChange::Set), _) => "expiry set",
        (Some(ExpiryChange::Extended), _) => "extended by `up`",
        (Some(ExpiryChange::Shortened), _) => "expiry shortened",
        (Some(ExpiryChange::Lifted), _) => "expiry lifted",
        (None, Reason::Configuration) => "configuration changed",
        (None, Reason::Drift) => "drift: changed outside peersync-deploy",
        (None, Reason::Both) => "drift and configuration changed",
        (None, Reason::Consequence) if step.follows_from.is_empty() => "follows from another change",
        (None, Reason::Consequence) => return format!("follows from {}", text::list(&step.follows_from, NAMED)),
        (None, Reason::Unknown) => "origin unknown",
    };
    words.to_owned()
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
    use peersync_engine::{Changes, FieldName};
    use serde_json::{Value, json};

    const HIGHLIGHTS: &[FieldName] = &[FieldName::new("memory")];

    fn change(field: &str, old: impl Into<Value>, new: impl Into<Value>, reason: Reason) -> FieldChange {
        FieldChange { field: field.to_owned(), old: old.into(), new: new.into(), reason }
    }

    fn step_of(name: &str, action: Action, changes: Vec<FieldChange>) -> Step {
        let address = Address::new("function", name);
        Step::new(address, action, Changes::from_iter(changes))
    }

    #[test]
    fn plan_shows_every_kind_of_change_with_its_reason() {
        let mut replaced =
            step_of("host", Action::Replace, vec![change("image", "ami-1", "ami-2", Reason::Configuration)]);
        replaced.replace_because = vec!["image: the image of an instance cannot be changed".to_owned()];
        let shown = Plan {
            steps: vec![
                Step {
                    name: Some("peersync-dev-new".to_owned()),
                    highlights: HIGHLIGHTS,
                    ..step_of("new", Action::Create, vec![change("memory", Value::Null, 256, Reason::Configuration)])
                },
                step_of("newest", Action::Create, Vec::new()),
                step_of(
                    "signup",
                    Action::Update,
                    vec![
                        change("memory", 128, 256, Reason::Drift),
                        change("timeout", 3, 10, Reason::Configuration),
                        change("key", "(secret)", "(new secret)", Reason::Both),
                        change("policy", "x".repeat(200), Value::Null, Reason::Unknown),
                        change("environment", json!({ "A": 1, "B": 2 }), json!({ "A": 1, "B": 3 }), Reason::Drift),
                        change("csp", "img-src a; font-src b", "img-src c; font-src b", Reason::Configuration),
                        change("tags.owner", "Ada", Value::Null, Reason::Configuration),
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
                Step {
                    follows_from: vec![Address::new("function", "host")],
                    ..step_of(
                        "alarm",
                        Action::Update,
                        vec![change("id", "i-1", "(known after apply)", Reason::Consequence)],
                    )
                },
                replaced,
                step_of("renewed", Action::Update, vec![change("tags.peersync:expires-at", "a", "b", Reason::Unknown)]),
                step_of("too", Action::Update, vec![change("tags.peersync:expires-at", "a", "b", Reason::Unknown)]),
                step_of("other", Action::Update, vec![change("tags.peersync:expires-at", "a", "b", Reason::Drift)]),
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
