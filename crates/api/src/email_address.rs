//! E-mail addresses as people type them: canonicalised first, checked afterwards.

use std::str::FromStr as _;

use email_address::EmailAddress;

/// The maximum length of an address in bytes (RFC 5321, section 4.5.3.1.3, without the angle brackets).
pub const MAX_EMAIL: usize = 254;

/// A checked address: ASCII, one `@`, a lowercase domain with a dot, no quotes, comments or control characters.
///
/// The part before the `@` keeps its case, since only its own server knows whether it matters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// Parses an address. Surrounding spaces are removed. Anything that is not ASCII is refused, so that no character
    /// that merely looks like `@` or like a letter is accepted.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(' ');
        if !text.is_ascii() || text.len() > MAX_EMAIL {
            return None;
        }
        let (local, domain) = text.split_once('@')?;
        let canonical = format!("{local}@{}", domain.to_ascii_lowercase());
        let acceptable = is_plain_local(local) && is_plain_domain(domain) && EmailAddress::from_str(&canonical).is_ok();
        acceptable.then_some(Self(canonical))
    }

    /// Returns the address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the address with all but the first letter of the local part hidden: `a…@example.org`.
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

/// Returns whether the local part has only letters, digits, inner dots, and the marks of RFC 5322's `atext` without
/// those that mail servers have read as routes (`!`, `%`) or shells as commands (`` ` ``, `|`, `$`).
fn is_plain_local(local: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".#&'*+/=?^_{}~-".contains(&byte);
    !local.is_empty()
        && local.len() <= 64
        && local.bytes().all(plain)
        && !local.starts_with(['.', '-'])
        && !local.ends_with('.')
        && !local.contains("..")
}

/// Returns whether the domain has at least two labels of letters, digits and inner hyphens, the last one not a number.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn valid_addresses_are_canonicalised() {
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
    fn invalid_addresses_are_refused() {
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
    fn masked_address_shows_one_letter_and_the_domain() {
        assert_eq!(Email::parse("ada@example.org").unwrap().masked(), "a…@example.org");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn accepted_address_is_canonical_and_safe(text in "\\PC{0,40}|[a-z@.\\-\"\r\n,<>%! A-Z]{0,40}|[a-z.]{1,8}@[A-Za-z.-]{1,12}") {
            if let Some(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Some(email.clone()));
                prop_assert_eq!(email.as_str().matches('@').count(), 1);
                prop_assert!(email.as_str().bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>,;:\\()[]".contains(&byte)));
            }
        }
    }
}
