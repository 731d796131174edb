//! E-mail addresses. One mailbox has many spellings, and one *key*: accounts, friendships, blocks, limits and rings are
//! kept under the key, people are shown the spelling that its owner typed.
//!
//! The key is the local part in lower case and the domain in ASCII by IDNA (UTS #46). RFC 5321 leaves the case of a
//! local part to its server, but none that people use tells `Ada` from `ada`, and everybody else takes both for one
//! person.

mod domain;

use std::hash::{Hash, Hasher};

/// The maximum length of an address in bytes (RFC 5321, section 4.5.3.1.3, without the angle brackets).
pub const MAX_EMAIL: usize = 254;

/// Why a text is not accepted as an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEmail {
    /// It is not an address, or one that no mail server on the internet has.
    #[error("the text is not an email address")]
    Malformed,
    /// The part before the `@` has a letter that is not ASCII. Few mail servers accept those (RFC 6531).
    #[error("the part before the @ has letters other than a to z")]
    LocalPart,
}

/// A checked address, equal to every other spelling of it. Its key is ASCII with one `@`, a domain with a dot, no upper
/// case, quotes, comments or control characters.
#[derive(Clone, Debug)]
pub struct Email {
    key: String,
    spelling: String,
    /// The length of the local part, which is the same in both.
    local: usize,
}

impl Email {
    /// Parses an address. Surrounding spaces are removed. The domain may have the letters of any language; no character
    /// that merely looks like `@` or is invisible is accepted.
    ///
    /// # Errors
    /// See [`InvalidEmail`].
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let text = text.trim_matches(' ');
        // Bounded before the domain is processed, which costs time for a long text.
        if text.len() > MAX_EMAIL * 4 || text.chars().count() > MAX_EMAIL {
            return Err(InvalidEmail::Malformed);
        }
        let (local, domain) = text.split_once('@').ok_or(InvalidEmail::Malformed)?;
        let ascii = domain::to_ascii(domain).ok_or(InvalidEmail::Malformed)?;
        if !local.is_ascii() {
            return Err(InvalidEmail::LocalPart);
        }
        let key = format!("{}@{ascii}", local.to_ascii_lowercase());
        let acceptable = is_plain_local(local) && key.len() <= MAX_EMAIL;
        let email = Self { key, spelling: text.to_owned(), local: local.len() };
        acceptable.then_some(email).ok_or(InvalidEmail::Malformed)
    }

    /// Returns the key, which is the same for every spelling.
    pub fn as_str(&self) -> &str {
        &self.key
    }

    /// Returns the address as it was typed, for people to read.
    pub fn spelling(&self) -> &str {
        &self.spelling
    }

    /// Returns the address for a mail server: the local part as it was typed, and the domain in ASCII, so that the mail
    /// needs no server that knows other letters.
    pub fn mailbox(&self) -> String {
        let (local, domain) = (self.spelling.get(..self.local), self.key.get(self.local..));
        format!("{}{}", local.unwrap_or_default(), domain.unwrap_or_default())
    }

    /// Returns under what earlier versions kept this spelling, if it was not the key: they kept the case of the local
    /// part.
    pub fn former_key(&self) -> Option<String> {
        Some(self.mailbox()).filter(|former| *former != self.key)
    }

    /// Returns the address with all but the first letter of the local part hidden: `a…@example.org`.
    pub fn masked(&self) -> String {
        masked(&self.spelling)
    }
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Email {}

impl Hash for Email {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

/// Returns the key of an address from the database or a ticket; what is not an address is returned unchanged.
pub fn key_of(text: &str) -> String {
    Email::parse(text).map_or_else(|_| text.to_owned(), |email| email.key)
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

#[cfg(test)]
mod tests;
