//! A plan as Markdown for a comment on a pull request: the counts, a table of the resources, and what differs in each,
//! folded.
//!
//! Nothing that comes from the configuration or from AWS is markup: it is in `<code>` with its punctuation as character
//! references, or in a fenced block that no line of it can close.

use std::fmt::Write as _;

use super::difference::{self, What};
use super::plan_text::{counts, divided, highlights, reason};
use super::style::Style;
use super::words;
use peersync_engine::{Action, Plan, Step, text};

/// The maximum length of a comment, in bytes: GitHub allows 65,536 characters.
const LONGEST_COMMENT: usize = 65_536;
/// What is kept for the line that says what was left out, and for the command's own end of line.
const RESERVE: usize = 300;

/// Returns the plan as Markdown. The heading names the stack.
pub fn plan(heading: &str, plan: &Plan) -> String {
    let mut comment = format!("### {}\n\n**{}**\n", escaped(heading), counts(plan, Style::PLAIN));
    if plan.is_empty() {
        return comment;
    }
    // A tag of the configuration is on every resource: they share a row and a block.
    let (others, groups) = divided(plan, Style::PLAIN);
    let others = others.into_iter().map(|step| vec![step]);
    let shown: Vec<Vec<&Step>> = others.chain(groups.into_iter().map(|(_, steps)| steps)).collect();
    comment.push_str("\n| Action | Resource | Name | What matters |\n|---|---|---|---|\n");
    let rows = shown.iter().filter_map(|steps| row(steps));
    let pieces: Vec<String> = rows.chain(shown.iter().filter_map(|steps| detail(steps))).collect();
    let total = pieces.len();
    let mut left_out = 0;
    for piece in pieces {
        if left_out == 0 && comment.len() + piece.len() + RESERVE <= LONGEST_COMMENT {
            comment.push_str(&piece);
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        let why = format!("because a comment holds {LONGEST_COMMENT} characters");
        let _ = write!(comment, "\n{left_out} of the {total} rows and blocks are left out, {why}. ");
        comment.push_str("`peersync-deploy plan` shows everything.\n");
    }
    comment.truncate(comment.trim_end().len());
    comment
}

fn mark(action: Action) -> &'static str {
    match action {
        Action::Create => "➕",
        Action::Update => "✏️",
        Action::Replace => "♻️",
        Action::Delete => "➖",
        Action::NoChange => "",
    }
}

/// Returns a row of the table, for one step or several that change the same.
fn row(steps: &[&Step]) -> Option<String> {
    let step = steps.first()?;
    let mut matters: Vec<String> = step.replace_because.clone();
    match step.action {
        Action::Create => matters.extend(highlights(step)),
        _ => matters.extend(step.changes.shown().map(|change| change.field.clone()).take(6)),
    }
    let code = |text: &str| if text.is_empty() { String::new() } else { format!("<code>{}</code>", escaped(text)) };
    let matters: Vec<String> = matters.iter().map(|text| code(&shortened(text))).collect();
    let name = step.name.as_deref().filter(|_| steps.len() == 1).unwrap_or_default();
    Some(format!(
        "| {} {} | {} | {} | {} |\n",
        mark(step.action),
        words::verb(step.action),
        of_whom(steps),
        code(&shortened(name)),
        matters.join("<br>"),
    ))
}

/// Returns the address of a resource, or how many there are.
fn of_whom(steps: &[&Step]) -> String {
    match steps {
        [step] => format!("<code>{}</code>", escaped(&step.address.to_string())),
        several => text::count(several.len(), "resource"),
    }
}

/// Returns the differences of what is changed or replaced, folded, in the colours of a diff.
fn detail(steps: &[&Step]) -> Option<String> {
    let step = steps.first().filter(|step| matches!(step.action, Action::Update | Action::Replace))?;
    let mut lines = Vec::new();
    for change in step.changes.shown() {
        lines.push(format!("# {} ({})", change.field, reason(step, change)));
        for part in difference::parts(&change.field, &change.old, &change.new) {
            let path = &part.path;
            match part.what {
                What::Changed(old, new) => lines.extend([format!("- {path}: {old}"), format!("+ {path}: {new}")]),
                What::Added(text) => lines.push(format!("+ {path}: {text}")),
                What::Removed(text) => lines.push(format!("- {path}: {text}")),
                What::Words(text) => lines.push(format!("! {path}: {text}")),
                What::More(number) => lines.push(format!("# {path}: {} more", text::count(number, "difference"))),
            }
        }
    }
    if lines.is_empty() {
        let reasons = step.replace_because.iter().map(|reason| format!("# {reason}"));
        lines.extend(reasons);
    }
    if lines.is_empty() {
        lines.push(format!("# {}", words::ONLY_RECORDS));
    }
    if steps.len() > 1 {
        lines.splice(0..0, steps.iter().map(|step| format!("# {}", step.address)));
    }
    let block = lines.iter().map(|line| one_line(line)).collect::<Vec<_>>().join("\n");
    let fence = fence(&block);
    let (mark, verb, whom) = (mark(step.action), words::verb(step.action), of_whom(steps));
    Some(format!("\n<details><summary>{mark} {verb} {whom}</summary>\n\n{fence}diff\n{block}\n{fence}\n\n</details>\n"))
}

/// Returns the text with everything that could be markup, a link or a mention as character references.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in one_line(text).chars() {
        match letter {
            letter if letter.is_alphanumeric() || " -.,()/".contains(letter) => escaped.push(letter),
            letter => {
                let _ = write!(escaped, "&#{};", u32::from(letter));
            }
        }
    }
    // GitHub makes links of these, even without markup.
    escaped.replace("www.", "www&#46;")
}

/// Returns the text without line breaks and other control characters.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// Returns the text, cut to what fits in a cell.
fn shortened(text: &str) -> String {
    const LONGEST_CELL: usize = 120;
    if text.chars().count() <= LONGEST_CELL {
        return text.to_owned();
    }
    text.chars().take(LONGEST_CELL).chain(['…']).collect()
}

/// Returns the backquotes that begin and end a block of code: more of them than anywhere within it.
fn fence(block: &str) -> String {
    let mut fence = "```".to_owned();
    while block.contains(&fence) {
        fence.push('`');
    }
    fence
}

#[cfg(test)]
mod tests {
    use super::*;
    use peersync_engine::{Address, Changes, FieldChange, FieldName, Reason};
    use serde_json::{Value, json};

    const HIGHLIGHTS: &[FieldName] = &[FieldName::new("memory")];

    fn change(field: &str, old: impl Into<Value>, new: impl Into<Value>, reason: Reason) -> FieldChange {
        FieldChange { field: field.to_owned(), old: old.into(), new: new.into(), reason }
    }

    fn step_of(name: &str, action: Action, changes: Vec<FieldChange>) -> Step {
        Step::new(Address::new("function", name), action, Changes::from_iter(changes))
    }

    fn plan_of(steps: Vec<Step>) -> Plan {
        Plan { steps, conflicts: Vec::new() }
    }

    #[test]
    fn plan_has_counts_a_table_and_folded_differences() {
        let created = Step {
            name: Some("peersync-dev-new".to_owned()),
            highlights: HIGHLIGHTS,
            ..step_of("new", Action::Create, vec![change("memory", Value::Null, 256, Reason::Configuration)])
        };
        let changed = vec![
            change("environment", json!({ "A": "1", "B": "2" }), json!({ "A": "1", "B": "3" }), Reason::Configuration),
            change("key", "(secret)", "(new secret)", Reason::Drift),
        ];
        let replaced = Step {
            replace_because: vec!["image: the image of an instance cannot be changed".to_owned()],
            ..step_of("host", Action::Replace, vec![change("image", "ami-1", "ami-2", Reason::Configuration)])
        };
        let steps = vec![
            created,
            step_of("signup", Action::Update, changed),
            replaced,
            step_of("old", Action::Delete, Vec::new()),
            step_of("same", Action::NoChange, Vec::new()),
            step_of("tagged", Action::Update, vec![change("tags.owner", "Ada", "Grace", Reason::Configuration)]),
            step_of("too", Action::Update, vec![change("tags.owner", "Ada", "Grace", Reason::Configuration)]),
        ];
        insta::assert_snapshot!(plan("peersync-dev in eu-central-1", &plan_of(steps)));
    }

    #[test]
    fn plan_without_changes_is_two_lines() {
        let plan = plan("peersync-dev", &plan_of(vec![step_of("same", Action::NoChange, Vec::new())]));
        assert_eq!(plan, "### peersync-dev\n\n**Nothing to do: 1 resource unchanged.**\n");
    }

    /// Whatever a value contains, it stays a text: inside the code of a cell, or inside the fence.
    #[test]
    fn values_are_never_markup() {
        let hostile = "a|b`c```d <img src=x> @maintainers [x](http://e) #1 *b* $x$ &amp; www.e.org\n```\n</details>~~~";
        let hostile_step = Step {
            name: Some(hostile.to_owned()),
            highlights: HIGHLIGHTS,
            ..step_of("new", Action::Create, vec![change("memory", Value::Null, hostile, Reason::Configuration)])
        };
        let changed = step_of("old", Action::Update, vec![change(hostile, hostile, "new", Reason::Drift)]);
        let text = plan(hostile, &plan_of(vec![hostile_step, changed]));
        let (visible, block) = text.split_once("````diff\n").expect("the fence is longer than any run of backquotes");
        for markup in ["@", "`", "<img", "[", "*b", " #1", "$", "~", "www."] {
            // The summary line is bold, and the table has its own bars.
            let visible = visible.replace("**Plan", "").replace("**\n", "");
            assert!(!visible.contains(markup), "{markup} in {visible}");
        }
        assert!(visible.lines().filter(|line| line.starts_with("| ")).all(|line| line.matches('|').count() == 5));
        let (inside, after) = block.split_once("\n````\n").expect("the block ends");
        assert!(!inside.lines().any(|line| line.starts_with("```")), "{inside}");
        assert_eq!(after, "\n</details>");
    }

    #[test]
    fn long_plan_fits_into_a_comment_and_says_what_is_left_out() {
        let list: Vec<String> = (0..100).map(|index| format!("{index} {}", "é".repeat(70))).collect();
        let step = |index: usize| {
            step_of(&format!("{index}"), Action::Update, vec![change("list", json!([]), json!(list), Reason::Drift)])
        };
        let text = plan("peersync-dev", &plan_of((0..60).map(step).collect()));
        assert!(text.len() <= LONGEST_COMMENT, "{} bytes", text.len());
        let last = text.lines().last().unwrap_or_default();
        assert!(last.contains("rows and blocks are left out, because a comment holds 65536 characters"), "{last}");
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }
}
