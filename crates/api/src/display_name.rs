//! Names as people type them: canonicalised first, checked afterwards.

use unicode_normalization::UnicodeNormalization as _;

/// The maximum length of a name in characters.
pub const MAX_NAME: usize = 64;

/// A checked name: Unicode NFC, trimmed, 1 to 64 characters, none of them a control or direction character.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DisplayName(String);

impl DisplayName {
    /// Parses a name.
    pub fn parse(text: &str) -> Option<Self> {
        // Checked before normalising, which costs time for a long text.
        if text.len() > MAX_NAME * 16 {
            return None;
        }
        let name: String = text.nfc().collect::<String>().trim().to_owned();
        let length = name.chars().count();
        let visible = name.chars().any(|character| !character.is_whitespace() && !is_joiner(character));
        let acceptable = (1..=MAX_NAME).contains(&length) && visible && !name.chars().any(is_refused);
        acceptable.then_some(Self(name))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns whether it is a joiner: part of emoji and of several scripts, but not a name by itself.
fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}')
}

/// Returns whether it is a control, separator, direction or invisible character.
fn is_refused(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_canonicalised_or_refused() {
        let good = [
            (" Ada ", "Ada"),
            ("e\u{301}", "é"),
            ("👩\u{200d}🚀", "👩\u{200d}🚀"),
            ("عبد", "عبد"),
            ("<img onerror>", "<img onerror>"),
        ];
        for (text, expected) in good {
            assert_eq!(DisplayName::parse(text).unwrap().as_str(), expected);
        }
        assert!(DisplayName::parse(&"ä".repeat(64)).is_some());
        let long = "a".repeat(65);
        for text in ["", "  ", "\u{200d}", "a\nb", "a\0", "\u{202e}evil", "a\u{2066}b", "a\u{200b}b", "\u{3164}", &long]
        {
            assert_eq!(DisplayName::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn accepted_name_is_canonical_and_safe(text in "\\PC{0,80}|[a\u{301}\u{202e}\u{200d} \n]{0,20}") {
            if let Some(name) = DisplayName::parse(&text) {
                prop_assert_eq!(DisplayName::parse(name.as_str()), Some(name.clone()));
                prop_assert!((1..=MAX_NAME).contains(&name.as_str().chars().count()));
                prop_assert!(!name.as_str().chars().any(char::is_control));
            }
        }
    }
}
