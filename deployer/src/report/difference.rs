//! What differs between two values: objects and lists entry by entry, long texts word by word or line by line. So the two
//! sides are never cut to the same beginning.

mod text;

use peersync_engine::diff::{NEW_SECRET, SECRET, UNKNOWN, UNREADABLE};
use serde_json::{Map, Value};
use similar::{Algorithm, DiffOp, capture_diff_slices};

/// The longest value that is shown in full, in characters.
const LONGEST_VALUE: usize = 80;
/// The maximum number of parts of one field that are shown.
const MOST_PARTS: usize = 24;
/// What replaces a value in a text for people, which is no text of the user's.
const MARKERS: [&str; 4] = [SECRET, NEW_SECRET, UNKNOWN, UNREADABLE];

/// One difference within a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it is: the name of the field, and the keys and indices below.
    pub path: String,
    /// What differs there.
    pub what: What,
}

/// What differs at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A value is replaced by another one.
    Changed(String, String),
    /// An entry, a word or a line is added.
    Added(String),
    /// An entry, a word or a line is removed.
    Removed(String),
    /// A long text in which words are replaced, in the notation of `git diff --word-diff`.
    Words(String),
    /// Further differences that are not shown: their number.
    More(usize),
}

/// Returns all differences between the two values of a field.
pub fn parts(field: &str, old: &Value, new: &Value) -> Vec<Part> {
    let mut found = Vec::new();
    compare(field, old, new, &mut found);
    let more = found.len().saturating_sub(MOST_PARTS);
    if more > 0 {
        found.truncate(MOST_PARTS);
        found.push(Part { path: field.to_owned(), what: What::More(more) });
    }
    found
}

/// Returns a value in one line of limited length.
pub fn short(value: &Value) -> String {
    match value {
        Value::Null => "(absent)".to_owned(),
        Value::String(text) if MARKERS.contains(&text.as_str()) => text.clone(),
        other => text::shortened(&other.to_string()),
    }
}

fn compare(path: &str, old: &Value, new: &Value, found: &mut Vec<Part>) {
    let mut add = |what| found.push(Part { path: path.to_owned(), what });
    match (old, new) {
        (old, new) if old == new => {}
        (Value::Object(old), Value::Object(new)) => compare_objects(path, old, new, found),
        (Value::Array(old), Value::Array(new)) => compare_lists(path, old, new, found),
        (Value::String(before), Value::String(after)) if !MARKERS.contains(&after.as_str()) => {
            match (text::structured(before), text::structured(after)) {
                (Some(old), Some(new)) => compare(path, &old, &new, found),
                _ => text::compare(before, after).into_iter().for_each(add),
            }
        }
        (old, new) => add(What::Changed(short(old), short(new))),
    }
}

fn compare_objects(path: &str, old: &Map<String, Value>, new: &Map<String, Value>, found: &mut Vec<Part>) {
    let removed = old.iter().filter(|(key, _)| !new.contains_key(*key));
    found.extend(removed.map(|(key, value)| Part { path: below(path, key), what: What::Removed(short(value)) }));
    for (key, value) in new {
        match old.get(key) {
            Some(before) => compare(&below(path, key), before, value, found),
            None => found.push(Part { path: below(path, key), what: What::Added(short(value)) }),
        }
    }
}

/// Compares lists: entries that are in both are passed over, wherever they stand.
fn compare_lists(path: &str, old: &[Value], new: &[Value], found: &mut Vec<Part>) {
    let texts = |list: &[Value]| list.iter().map(Value::to_string).collect::<Vec<_>>();
    for op in capture_diff_slices(Algorithm::Myers, &texts(old), &texts(new)) {
        let (before, after) = (op.old_range(), op.new_range());
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        let (first, before) = (after.start, old.get(before).unwrap_or_default());
        let after = new.get(after).unwrap_or_default();
        let paired = before.len().min(after.len());
        for (index, (before, after)) in before.iter().zip(after).enumerate() {
            compare_entries(path, first + index, before, after, found);
        }
        let removed = before.iter().skip(paired);
        found.extend(removed.map(|entry| Part { path: path.to_owned(), what: What::Removed(short(entry)) }));
        let added = after.iter().skip(paired);
        found.extend(added.map(|entry| Part { path: path.to_owned(), what: What::Added(short(entry)) }));
    }
}

/// Compares two entries at the same place of a list. Simple ones have nothing in common.
fn compare_entries(path: &str, index: usize, old: &Value, new: &Value, found: &mut Vec<Part>) {
    if (old.is_object() && new.is_object()) || (old.is_array() && new.is_array()) {
        return compare(&format!("{path}[{index}]"), old, new, found);
    }
    found.push(Part { path: path.to_owned(), what: What::Removed(short(old)) });
    found.push(Part { path: path.to_owned(), what: What::Added(short(new)) });
}

fn below(path: &str, key: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    if !key.is_empty() && key.chars().all(is_plain) { format!("{path}.{key}") } else { format!("{path}[{key:?}]") }
}

#[cfg(test)]
mod tests;
