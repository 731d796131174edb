//! The names of stages.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The longest name, in characters; with it, the names of a stack's resources must fit AWS's limits.
const LONGEST: usize = 20;
/// The number of hash characters that keep shortened names apart.
const HASH: usize = 6;

/// The name of a stage: 1 to 20 lower-case letters, digits and hyphens, without a hyphen at either end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageName(String);

impl StageName {
    /// Returns the name as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for StageName {
    /// Returns `dev`.
    fn default() -> Self {
        Self("dev".to_owned())
    }
}

impl fmt::Display for StageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why a text is not a valid stage name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a stage name has 1 to 20 lower-case letters, digits and hyphens, without a hyphen at either end{}",
    suggestion.as_ref().map(|name| format!("; try `{name}`")).unwrap_or_default()
)]
pub struct StageError {
    /// A similar name that would be valid.
    pub suggestion: Option<String>,
}

impl FromStr for StageName {
    type Err = StageError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let valid = (1..=LONGEST).contains(&text.len())
            && text.chars().all(allowed)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if valid { Ok(Self(text.to_owned())) } else { Err(StageError { suggestion: suggestion(text) }) }
    }
}

/// Returns the nearest valid name to a branch's: `feature/Login page` becomes `feature-login-page`. If it must be
/// shortened, a hash of the whole text keeps two long branch names apart.
fn suggestion(text: &str) -> Option<String> {
    let replaced: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let name = replaced.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    if name.is_empty() || name.len() <= LONGEST {
        return (!name.is_empty()).then_some(name);
    }
    let hash = hex::encode(Sha256::digest(text.as_bytes()));
    let kept = name.get(..LONGEST - HASH - 1)?.trim_end_matches('-');
    Some(format!("{kept}-{}", hash.get(..HASH)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn suggested(text: &str) -> Option<String> {
        text.parse::<StageName>().err().and_then(|error| error.suggestion)
    }

    #[test]
    fn branch_names_get_a_suggestion() {
        assert_eq!(suggested("feature/Login page").as_deref(), Some("feature-login-page"));
        assert_eq!(suggested("-dev-").as_deref(), Some("dev"));
        assert_eq!(suggested("").as_deref(), None);
        assert_eq!(suggested("///").as_deref(), None);
    }

    #[test]
    fn long_branch_names_get_different_suggestions() {
        let (first, second) =
            (suggested("feature/a-very-long-branch-name-1"), suggested("feature/a-very-long-branch-name-2"));
        assert_ne!(first, second);
        assert!(first.is_some_and(|name| name.starts_with("feature-a-ver-")));
    }

    proptest! {
        #[test]
        fn every_suggestion_is_a_valid_name(text in ".{0,60}") {
            if let Err(StageError { suggestion: Some(name) }) = text.parse::<StageName>() {
                prop_assert!(name.parse::<StageName>().is_ok(), "{}", name);
            }
        }
    }
}
