//! Web and email addresses in names. Mail programs turn them into links, so that a stranger's name could carry a link
//! to whom it was never sent.

use unicode_normalization::UnicodeNormalization as _;

/// Returns whether a mail program could take a part of the name for an address.
pub(super) fn is_in(name: &str) -> bool {
    // Compatibility forms of dots, slashes and letters are links for some programs.
    let plain: String = name.nfkc().flat_map(char::to_lowercase).map(|c| if c == '。' { '.' } else { c }).collect();
    plain.contains("://") || plain.split(' ').any(|word| is_address(word) || has_domain(word))
}

/// Returns whether there are letters on both sides of an `@`.
fn is_address(word: &str) -> bool {
    let characters: Vec<char> = word.chars().collect();
    characters.windows(3).any(|three| matches!(three, [before, '@', after] if joined(*before) && joined(*after)))
}

/// Returns whether two labels are joined by a dot, the second one like a top-level domain. Initials have one letter:
/// `J.R.R. Tolkien`; the domains that have one are links only with a path.
fn has_domain(word: &str) -> bool {
    let parts: Vec<&str> = word.split(|character: char| !(joined(character) || character == '.')).collect();
    let has_path = word.contains('/');
    parts.iter().any(|part| {
        let labels: Vec<&str> = part.split('.').collect();
        labels.windows(2).any(|two| match two {
            [label, top] => {
                let letters = top.chars().take_while(|character| character.is_alphabetic()).count();
                letters >= 2 && label.chars().count() >= if has_path { 1 } else { 2 }
            }
            _ => false,
        })
    })
}

fn joined(character: char) -> bool {
    character.is_alphanumeric() || character == '-' || character == '_'
}
