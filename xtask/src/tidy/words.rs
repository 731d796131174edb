//! Words that must not be used in comments, texts and names.

use std::path::Path;

use super::Finding;
use super::settings::{FILE, Settings};
use super::tree::Tree;

/// The extensions of the files to check.
const READ: &[&str] = &["css", "html", "js", "md", "mjs", "py", "rs", "sh", "toml"];
/// The files that may quote the words: their list, and the guide that shows what to write instead.
const QUOTING: [&str; 2] = [FILE, "STYLE.md"];

/// Finds the words of [`Settings::words`].
pub fn check(tree: &Tree, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in
        tree.with_extension(READ).filter(|(file, _)| !QUOTING.iter().any(|quoting| *file == Path::new(quoting)))
    {
        let words = words(text);
        for banned in &settings.words {
            for form in &banned.forms {
                findings.extend(lines_with(&words, form).into_iter().map(|line| Finding {
                    file: file.to_owned(),
                    line,
                    problem: format!("\"{form}\" must not be used"),
                    fix: format!("write {}", banned.instead),
                }));
            }
        }
    }
    findings
}

/// A word in lower case.
struct Word {
    text: String,
    line: usize,
    /// Whether it continues the sentence or name of the previous word.
    follows: bool,
}

/// Returns the lines on which a form begins.
fn lines_with(words: &[Word], form: &str) -> Vec<usize> {
    let parts: Vec<&str> = form.split(' ').collect();
    let begins = words.windows(parts.len()).filter(|window| {
        let same = window.iter().zip(&parts).all(|(word, part)| word.text == *part);
        same && window.iter().skip(1).all(|word| word.follows)
    });
    begins.filter_map(|window| window.first()).map(|word| word.line).collect()
}

/// Returns the words of a text. `camelCase` and `snake_case` have two each.
fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut between = String::from("\n");
        let mut before = None;
        for letter in line.chars() {
            if !letter.is_alphabetic() {
                between.push(letter);
            } else {
                let begins = before.is_none_or(|before: char| {
                    !before.is_alphabetic() || (before.is_lowercase() && letter.is_uppercase())
                });
                if begins {
                    words.push(Word { text: String::new(), line: number + 1, follows: joins(&between) });
                    between.clear();
                }
                if let Some(word) = words.last_mut() {
                    word.text.extend(letter.to_lowercase());
                }
            }
            before = Some(letter);
        }
    }
    words
}

/// Whether two words belong together: only white space, the markers of a comment or the underscore of a name separate
/// them.
fn joins(between: &str) -> bool {
    between.chars().all(|letter| letter.is_whitespace() || "_-/!*#\\".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::super::settings::Word as Banned;
    use super::super::tree::samples;
    use super::*;

    #[test]
    fn words_are_found_in_comments_texts_and_names() {
        let word = |forms: &[&str]| Banned {
            forms: forms.iter().map(|form| (*form).to_owned()).collect(),
            instead: "\"other\"".to_owned(),
        };
        let settings = Settings { words: vec![word(&["bad", "bads"]), word(&["so bad"])], ..Settings::default() };
        let tree = samples::tree(&[
            ("a.rs", "// A badge.\nfn it_bads() {}\nstruct ItIsBad;\n"),
            ("b.md", "It is so\nbad.\n"),
            ("c.js", "// so\n// bad\n"),
            ("d.svg", "bad"),
            ("STYLE.md", "bad"),
        ]);
        let found = check(&tree, &settings);
        let found: Vec<String> = found
            .iter()
            .map(|finding| format!("{}:{} {}", finding.file.display(), finding.line, finding.problem))
            .collect();
        assert_eq!(
            found,
            [
                "a.rs:3 \"bad\" must not be used",
                "a.rs:2 \"bads\" must not be used",
                "b.md:2 \"bad\" must not be used",
                "b.md:1 \"so bad\" must not be used",
                "c.js:2 \"bad\" must not be used",
                "c.js:1 \"so bad\" must not be used",
            ]
        );
    }

    #[test]
    fn a_new_sentence_separates() {
        let settings = Settings {
            words: vec![Banned { forms: vec!["so bad".to_owned()], instead: String::new() }],
            ..Settings::default()
        };
        assert!(check(&samples::tree(&[("a.md", "It is so. Bad luck.\nso(bad)\n")]), &settings).is_empty());
    }
}
