//! What differs between two texts.

use serde_json::{Map, Value};
use similar::{Algorithm, ChangeTag, DiffTag, capture_diff_slices};

use super::{LONGEST_VALUE, What};

/// The number of unchanged words that are shown on each side of a changed one.
const CONTEXT_WORDS: usize = 3;
/// The number of unchanged characters that are shown on each side of a difference within a word.
const CONTEXT_LETTERS: usize = 20;

/// Returns a text, cut to a limited length.
pub(super) fn shortened(text: &str) -> String {
    let length = text.chars().count();
    if length <= LONGEST_VALUE {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LONGEST_VALUE).collect();
    format!("{kept}… ({length} characters)")
}

/// Returns what a text contains if it is JSON or the value of a header with directives, such as a content security
/// policy: the words of each directive.
pub(super) fn structured(text: &str) -> Option<Value> {
    if text.starts_with(['{', '[']) {
        return serde_json::from_str(text).ok();
    }
    let directives: Vec<&str> = text.split(';').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    if directives.len() < 2 || text.contains('\n') {
        return None;
    }
    let mut parts = Map::new();
    for directive in directives {
        let mut words = directive.split_whitespace();
        let name = words.next().filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-'))?;
        parts.insert(name.to_owned(), words.map(Value::from).collect());
    }
    Some(Value::Object(parts))
}

/// Returns the differences between two texts that differ.
pub(super) fn compare(old: &str, new: &str) -> Vec<What> {
    let quoted = |text: &str| Value::from(text).to_string();
    if old.contains('\n') || new.contains('\n') {
        return lines(old, new);
    }
    if old.chars().count().max(new.chars().count()) <= LONGEST_VALUE {
        return vec![What::Changed(quoted(old), quoted(new))];
    }
    let words: (Vec<&str>, Vec<&str>) = (old.split(' ').collect(), new.split(' ').collect());
    if words.0.len().min(words.1.len()) > CONTEXT_WORDS {
        return vec![What::Words(changed_words(&words.0, &words.1))];
    }
    let (old, new) = around_difference(old, new);
    vec![What::Changed(old, new)]
}

fn lines(old: &str, new: &str) -> Vec<What> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let ops = capture_diff_slices(Algorithm::Myers, &old, &new);
    let changes = ops.iter().flat_map(|op| op.iter_changes(&old, &new));
    let changed: Vec<What> = changes
        .filter_map(|change| match change.tag() {
            ChangeTag::Equal => None,
            ChangeTag::Delete => Some(What::Removed(shortened(change.value()))),
            ChangeTag::Insert => Some(What::Added(shortened(change.value()))),
        })
        .collect();
    if changed.is_empty() { vec![What::Words("only the line endings".to_owned())] } else { changed }
}

fn changed_words(old: &[&str], new: &[&str]) -> String {
    let ops = capture_diff_slices(Algorithm::Myers, old, new);
    let mut pieces = Vec::new();
    for (index, op) in ops.iter().enumerate() {
        let removed = old.get(op.old_range()).unwrap_or_default();
        let added = new.get(op.new_range()).unwrap_or_default();
        if op.tag() == DiffTag::Equal {
            pieces.push(context(added, index > 0, index + 1 < ops.len()));
            continue;
        }
        let mark = |words: &[&str], open: &str, close: &str| match words {
            [] => String::new(),
            words => format!("{open}{}{close}", shortened(&words.join(" "))),
        };
        pieces.push(mark(removed, "[-", "-]") + &mark(added, "{+", "+}"));
    }
    pieces.join(" ")
}

/// Returns the unchanged words next to a changed one.
fn context(words: &[&str], after_change: bool, before_change: bool) -> String {
    let shown = CONTEXT_WORDS * (usize::from(after_change) + usize::from(before_change));
    if words.len() <= shown {
        return words.join(" ");
    }
    let first = words.get(..CONTEXT_WORDS).filter(|_| after_change).unwrap_or_default().join(" ");
    let last = words.get(words.len() - CONTEXT_WORDS..).filter(|_| before_change).unwrap_or_default().join(" ");
    format!("{first} … {last}").trim().to_owned()
}

/// Returns two long texts without spaces around what differs.
fn around_difference(old: &str, new: &str) -> (String, String) {
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    let start = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let end = end.min(old.len().min(new.len()) - start);
    let show = |text: &[char]| {
        let from = start.saturating_sub(CONTEXT_LETTERS);
        let until = (text.len() - end + CONTEXT_LETTERS).min(text.len());
        let kept: String = text.get(from..until).unwrap_or_default().iter().collect();
        let (before, after) = (if from > 0 { "…" } else { "" }, if until < text.len() { "…" } else { "" });
        format!("\"{before}{}{after}\"", shortened(&kept))
    };
    (show(&old), show(&new))
}
