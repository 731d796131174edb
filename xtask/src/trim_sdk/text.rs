//! The text of a trimmed file.

use super::items::{File, Item};
use super::prune::{Pruner, Removed};
use super::reach::{Reached, Sources};
use crate::error::Error;

/// The first line of every trimmed file: the licence wants changed files to say so.
const NOTICE: &str =
    "// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.";
/// What stands above the items of the library instead of the generated lints: rustc reports the warnings of a crate from a
/// path, and those of generated code are nobody's.
const ATTRIBUTES: &str =
    "#![allow(warnings, clippy::all, rustdoc::all, reason = \"generated code\")]\n#![forbid(unsafe_code)]";

/// Returns the files of the trimmed crate.
///
/// # Errors
/// If a file cannot be split into items.
pub fn trimmed(sources: &Sources, reached: &Reached<'_>) -> Result<Sources, Error> {
    let mut files = Sources::new();
    for (path, text) in sources.iter().filter(|(path, _)| reached.keeps_module(path)) {
        files.insert(path.clone(), file(reached, path, text)?);
    }
    Ok(files)
}

fn file(reached: &Reached<'_>, path: &str, text: &str) -> Result<String, Error> {
    let file = File::read(path, text)?;
    let pruner = Pruner::new(reached, path, &file);
    let mut kept = vec![NOTICE];
    if path == "lib.rs" {
        kept.extend(ATTRIBUTES.lines());
    }
    for (_, item) in file.items.iter().enumerate().filter(|(at, item)| reached.keeps(path, *at, item)) {
        if let Removed::Lines(removed) = pruner.removed(&item.tokens) {
            let own = lines(&file, item).filter(|(number, _)| !removed.iter().any(|range| range.contains(number)));
            kept.extend(own.map(|(_, line)| line));
        }
    }
    Ok(tidied(&kept))
}

/// Returns the lines of an item, without attributes of the whole crate.
fn lines<'a>(file: &File<'a>, item: &Item<'a>) -> impl Iterator<Item = (usize, &'a str)> {
    let own = item.lines.clone().filter_map(|number| Some((number, *file.lines.get(number.checked_sub(1)?)?)));
    own.filter(|(_, line)| !line.starts_with("#![") && !line.starts_with("//!"))
}

/// Shortens comments of documentation to a sentence, and leaves out repeated empty lines.
fn tidied(lines: &[&str]) -> String {
    let mut text = String::new();
    let mut documented = false;
    let mut empty = false;
    for line in lines {
        let trimmed = line.trim_start();
        if let Some(comment) = trimmed.strip_prefix("///") {
            let sentence = sentence(comment.trim());
            if !documented && !sentence.is_empty() {
                let indent = line.get(..line.len() - trimmed.len()).unwrap_or_default();
                text.push_str(&format!("{indent}/// {sentence}\n"));
                documented = true;
            }
            continue;
        }
        documented = false;
        if !(empty && trimmed.is_empty()) {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        empty = trimmed.is_empty();
    }
    text
}

/// Returns the first sentence of a line, without the tags of the paragraph.
fn sentence(comment: &str) -> &str {
    let inner = comment.strip_prefix("<p>").unwrap_or(comment);
    let end = inner.find("</p>").unwrap_or(inner.len());
    let inner = inner.get(..end).unwrap_or(inner);
    let sentence = inner.split_once(". ").and_then(|(first, _)| inner.get(..=first.len())).unwrap_or(inner);
    if sentence.starts_with("```") { "" } else { sentence }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_is_one_sentence() {
        let lines =
            ["///", "/// <p>One <code>a.b</code> two. Three.</p><note>", "/// <p>x</p>", "fn a() {}", "", "", "x"];
        assert_eq!(tidied(&lines), "/// One <code>a.b</code> two.\nfn a() {}\n\nx\n");
    }
}
