//! Who holds a lease, as others read it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest part of a text of others that is shown, in characters.
const SHOWN: usize = 200;

/// Who holds a lease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The ARN of the caller.
    pub who: String,
    /// The computer with the process id, or the job of a pipeline.
    pub place: String,
    /// Since when, by AWS's clock, as RFC 3339.
    pub since: String,
    /// The command: `up`.
    pub command: String,
}

/// What is stored: the holder, and an id by which it recognizes its own entry.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    /// Random, and different in each run.
    pub(super) id: String,
    /// The holder.
    #[serde(flatten)]
    pub(super) holder: Holder,
}

impl Entry {
    /// Returns the text that is stored.
    pub(super) fn to_text(&self) -> String {
        // A structure of texts can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what is stored; somebody may have written something else there.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut entry: Self = serde_json::from_str(text).ok()?;
        let Holder { who, place, since, command } = &mut entry.holder;
        for text in [who, place, since, command] {
            *text = text.chars().filter(|letter| !letter.is_control()).take(SHOWN).collect();
        }
        Some(entry)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return formatter.write_str("a run that has just begun or ended");
        }
        let Self { who, place, since, command } = self;
        write!(formatter, "`{command}`, run by {who} on {place} since {since}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_survives_storage_and_shows_no_control_characters() {
        let holder = Holder {
            who: "arn:aws:iam::123456789012:user/ada\u{1b}[2J".to_owned(),
            place: "laptop".to_owned(),
            since: "2026-11-28T19:00:00Z".to_owned(),
            command: "up".to_owned(),
        };
        let entry = Entry { id: "7".to_owned(), holder };
        let read = Entry::parse(&entry.to_text()).map(|entry| (entry.id, entry.holder.to_string()));
        let shown = "`up`, run by arn:aws:iam::123456789012:user/ada[2J on laptop since 2026-11-28T19:00:00Z";
        assert_eq!(read, Some(("7".to_owned(), shown.to_owned())));
        assert!(Entry::parse("something else").is_none());
    }
}
