//! Addresses and names as people type them: canonicalised first, checked afterwards.

use std::str::FromStr as _;

use email_address::EmailAddress;
use unicode_normalization::UnicodeNormalization as _;

/// Longest address (RFC 5321, section 4.5.3.1.3, without the angle brackets).
pub const LONGEST_EMAIL: usize = 254;
/// Most characters of a name.
pub const LONGEST_NAME: usize = 64;

/// A checked address: ASCII, one `@`, domain in small letters with a dot, no quotes, comments or control characters.
///
/// The part before the `@` keeps its capitals, since only its own server knows whether they matter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// Reads an address. Blanks around it go; anything that is not ASCII is refused, so that no character that merely
    /// looks like `@` or like a letter gets in.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(' ');
        if !text.is_ascii() || text.len() > LONGEST_EMAIL {
            return None;
        }
        let (local, domain) = text.split_once('@')?;
        let canonical = format!("{local}@{}", domain.to_ascii_lowercase());
        let acceptable = is_plain_local(local) && is_plain_domain(domain) && EmailAddress::from_str(&canonical).is_ok();
        acceptable.then_some(Self(canonical))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Shows that there is an address without telling it: `a…@example.org`.
    pub fn masked(&self) -> String {
        masked(&self.0)
    }
}

/// See [`Email::masked`].
pub fn masked(email: &str) -> String {
    let (local, domain) = email.split_once('@').unwrap_or((email, ""));
    let first: String = local.chars().take(1).collect();
    format!("{first}…@{domain}")
}

/// Letters, digits and the marks of RFC 5322's `atext` without the ones that mail servers have read as routes (`!`,
/// `%`) or shells as commands (`` ` ``, `|`, `$`); dots only in between.
fn is_plain_local(local: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".#&'*+/=?^_{}~-".contains(&byte);
    !local.is_empty()
        && local.len() <= 64
        && local.bytes().all(plain)
        && !local.starts_with(['.', '-'])
        && !local.ends_with('.')
        && !local.contains("..")
}

/// Two labels or more of letters, digits and inner hyphens; the last one is no number.
fn is_plain_domain(domain: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.len() <= 253
        && domain.contains('.')
        && domain.split('.').all(label)
        && domain
            .rsplit('.')
            .next()
            .is_some_and(|last| last.len() >= 2 && last.bytes().any(|b| b.is_ascii_alphabetic()))
}

/// A checked name: Unicode NFC, trimmed, 1 to 64 characters, none of them a control or a change of direction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DisplayName(String);

impl DisplayName {
    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        // Before normalising: a short text cannot grow beyond what the caller's limit allows.
        if text.len() > LONGEST_NAME * 16 {
            return None;
        }
        let name: String = text.nfc().collect::<String>().trim().to_owned();
        let length = name.chars().count();
        let visible = name.chars().any(|character| !character.is_whitespace() && !is_joiner(character));
        let acceptable = (1..=LONGEST_NAME).contains(&length) && visible && !name.chars().any(is_refused);
        acceptable.then_some(Self(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Joiners belong to emoji and to several scripts, but make no name of their own.
fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}')
}

/// Controls, line and paragraph separators, changes of direction, and what nobody can see.
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
    fn good_addresses() {
        for (text, expected) in [
            ("ada@example.org", "ada@example.org"),
            (" Ada.Lovelace+x@Example.ORG ", "Ada.Lovelace+x@example.org"),
            ("o'neill@mail.example.co.uk", "o'neill@mail.example.co.uk"),
            ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        ] {
            assert_eq!(Email::parse(text).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn bad_addresses() {
        let long_local = format!("{}@example.org", "a".repeat(65));
        let long = format!("a@{}.org", "a.".repeat(130));
        for text in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "ada@localhost",
            "ada@@example.org",
            "a@b@example.org",
            "ada＠example.org",
            "ada﹫example.org",
            "аda@example.org",
            "\"a b\"@example.org",
            "a,b@example.org",
            "ada@example.org\r\nBcc: eve@example.org",
            "ada@example.org\n",
            "ada@exam ple.org",
            ".ada@example.org",
            "ada.@example.org",
            "a..b@example.org",
            "-oX@example.org",
            "ada@-example.org",
            "ada@example-.org",
            "ada@example..org",
            "ada@example.org.",
            "ada@[127.0.0.1]",
            "ada@127.0.0.1",
            "a%b@example.org",
            "a!b@example.org",
            "<ada@example.org>",
            "Ada <ada@example.org>",
            "ada(x)@example.org",
            "ada@example.o",
            "ada\t@example.org",
            "ada\0@example.org",
            &long_local,
            &long,
        ] {
            assert_eq!(Email::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn masked_shows_one_letter() {
        assert_eq!(Email::parse("ada@example.org").unwrap().masked(), "a…@example.org");
    }

    #[test]
    fn names() {
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
        fn an_accepted_address_is_canonical_and_safe(text in "\\PC{0,40}|[a-z@.\\-\"\r\n,<>%! A-Z]{0,40}|[a-z.]{1,8}@[A-Za-z.-]{1,12}") {
            if let Some(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Some(email.clone()));
                prop_assert_eq!(email.as_str().matches('@').count(), 1);
                prop_assert!(email.as_str().bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>,;:\\()[]".contains(&byte)));
            }
        }

        #[test]
        fn an_accepted_name_is_canonical_and_safe(text in "\\PC{0,80}|[a\u{301}\u{202e}\u{200d} \n]{0,20}") {
            if let Some(name) = DisplayName::parse(&text) {
                prop_assert_eq!(DisplayName::parse(name.as_str()), Some(name.clone()));
                prop_assert!((1..=LONGEST_NAME).contains(&name.as_str().chars().count()));
                prop_assert!(!name.as_str().chars().any(char::is_control));
            }
        }
    }
}
