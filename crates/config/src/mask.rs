//! Hides what may be a secret in the lines of the file that an error shows. Somebody who writes a password into the
//! file is told not to; the password itself must not end up in a terminal or in the log of a pipeline.

use std::ops::Range;
use std::sync::LazyLock;

use regex_lite::Regex;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Matches a key that sounds secret, even if misspelt, and its value to the end of the line.
const ASSIGNMENT: &str = concat!(
    r#"(?i)[\w-]*(?:pas|pwd|secret|token|private|credential)[\w-]*["']?[ \t]*=[ \t]*"#,
    r#"("(?:[^"\\\n]|\\.)*"?|'[^'\n]*'?|[^\s"'{][^\n]*)"#
);

/// Returns the text with the values of such keys replaced by stars, byte for byte, so that positions stay the same.
pub(super) fn mask(text: &str, file: Option<&DeTable<'_>>) -> String {
    static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(ASSIGNMENT).ok());
    let Some(pattern) = PATTERN.as_ref() else { return String::new() };
    let mut hidden: Vec<Range<usize>> =
        pattern.captures_iter(text).filter_map(|found| found.get(1)).map(|value| value.range()).collect();
    if let Some(file) = file {
        collect(file, false, &mut hidden);
    }
    let mut bytes = text.as_bytes().to_vec();
    for range in hidden {
        let part = bytes.get_mut(range).into_iter().flatten();
        part.filter(|byte| **byte != b'\n').for_each(|byte| *byte = b'*');
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// Collects the values of secret keys that span several lines or are in a table below the key.
fn collect(table: &DeTable<'_>, secret: bool, hidden: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        // The name of a variable is not a secret.
        let secret = (secret || sounds_secret(key.get_ref())) && key.get_ref() != "env";
        values(value, secret, hidden);
    }
}

fn values(value: &Spanned<DeValue<'_>>, secret: bool, hidden: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::Table(table) => collect(table, secret, hidden),
        DeValue::Array(items) => items.iter().for_each(|item| values(item, secret, hidden)),
        _ if secret => hidden.push(value.span()),
        _ => {}
    }
}

fn sounds_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    ["pas", "pwd", "secret", "token", "private", "credential"].iter().any(|word| key.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let (file, _) = DeTable::parse_recoverable(text);
        mask(text, Some(file.get_ref()))
    }

    #[test]
    fn values_of_secret_keys_are_masked() {
        let hidden = [
            "password = \"hunter2\"",
            "pasword = 'hunter2'",
            "password = hunter2",
            "password = \"hunter2",
            "smtp = { user = \"me\", password = \"hunter2\" }",
            "secret = \"\"\"\nhunter2\nhunter2\"\"\"",
            "\"password\" = \"hunter2\"",
            "mail.smtp.password=\"hunter2\"",
            "password = { value = \"hunter2\" }",
            "password = [\"hunter2\"]",
            "private_key = \"a\\\"hunter2\"",
        ];
        for text in hidden {
            let masked = masked(text);
            assert!(!masked.contains("hunter2"), "{masked}");
            assert_eq!(masked.len(), text.len());
            assert_eq!(masked.matches('\n').count(), text.matches('\n').count());
        }
    }

    #[test]
    fn other_values_are_not_masked() {
        for text in ["password = { env = \"SMTP_PASS\" }", "user = \"me\"", "public_key = \"abc\"", "# a password"] {
            assert_eq!(masked(text), text);
        }
    }
}
