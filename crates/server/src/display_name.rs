//! Names of people and rooms as people type them: canonicalised first, checked afterwards.

mod characters;
mod link;

use unicode_normalization::UnicodeNormalization as _;

use crate::email_address::Email;

/// The maximum length of a name in characters.
pub const MAX_NAME: usize = 64;

/// Why a text is not accepted as a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// It is empty or longer than [`MAX_NAME`].
    #[error("a name has 1 to 64 characters")]
    Length,
    /// It has a character that nobody sees, or that reverses others.
    #[error("the name has an invisible character")]
    Invisible,
    /// It has an accent without a letter, or more on one letter than any language writes.
    #[error("the name has too many accents on one letter")]
    Accents,
    /// It has a web or email address: names go into mail to people who do not know the sender.
    #[error("the name contains a web or email address")]
    Link,
}

/// A checked name: Unicode NFC, one space between words, 1 to 64 characters, all of them visible where they stand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DisplayName(String);

impl DisplayName {
    /// Parses the name of a person. It contains no address, because it goes into mail.
    ///
    /// # Errors
    /// See [`InvalidName`].
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let name = Self::parse_title(text)?;
        if link::is_in(&name.0) { Err(InvalidName::Link) } else { Ok(name) }
    }

    /// Parses the name of a room, which never goes into mail and may contain an address.
    ///
    /// # Errors
    /// See [`InvalidName`].
    pub fn parse_title(text: &str) -> Result<Self, InvalidName> {
        // Checked before normalising, which costs time for a long text.
        if text.len() > MAX_NAME * 16 {
            return Err(InvalidName::Length);
        }
        let name = characters::with_plain_spaces(&text.nfc().collect::<String>())?;
        if !(1..=MAX_NAME).contains(&name.chars().count()) {
            return Err(InvalidName::Length);
        }
        characters::check(&name)?;
        Ok(Self(name))
    }

    /// Returns a name for somebody of whom nothing but the address is known: what is before the `@` and its first `+`, as
    /// words.
    pub fn of_address(email: &Email) -> Option<Self> {
        let local = email.spelling().split(['@', '+']).next()?;
        Self::parse(&local.replace(['.', '_', '-'], " ")).ok()
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests;
