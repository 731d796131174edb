//! When a stack is to expire, and the tags that say so.

use std::time::SystemTime;

use peersync_config::Expiry;
use peersync_engine::Tags;
use peersync_engine::diff::{EXPIRES_BY_TAG, EXPIRES_TAG, NO_EXPIRY};

/// Who set an expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpirySource {
    /// `up --expires`.
    Flag,
    /// The configuration.
    File,
}

impl ExpirySource {
    /// Returns the value of the tag `peersync:expires-by`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::File => "file",
        }
    }
}

/// When a stack is to expire, according to the command line and the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// Neither mentions it: an expiry that `up --expires` has set is kept, and one that the configuration has set is
    /// lifted, because it is no longer there.
    #[default]
    Unset,
    /// It never expires.
    Unlimited(ExpirySource),
    /// It expires at a moment.
    Until {
        /// The moment, in RFC 3339 and UTC.
        moment: String,
        /// Who set it.
        by: ExpirySource,
        /// Whether it is a duration, which starts again with each `up`.
        is_duration: bool,
    },
}

/// The expiry of a stack as its tags tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaggedExpiry {
    /// The value of `peersync:expires-at`; `never` once an expiry was lifted.
    pub at: String,
    /// The value of `peersync:expires-by`; `None` if an older version set the expiry.
    pub by: Option<String>,
}

impl Lifetime {
    /// Returns what the command line and the configuration say; the command line takes precedence.
    pub fn of(flag: Option<&Expiry>, file: Option<&Expiry>, now: SystemTime) -> Self {
        let flag = flag.map(|expiry| (expiry, ExpirySource::Flag));
        let Some((expiry, by)) = flag.or(file.map(|expiry| (expiry, ExpirySource::File))) else { return Self::Unset };
        match expiry.tag_from(now) {
            Some(moment) => Self::Until { moment, by, is_duration: matches!(expiry, Expiry::After(_)) },
            None => Self::Unlimited(by),
        }
    }

    /// Returns the tags that a stack with the expiry `present` is to carry. A lifted expiry leaves the value `never`,
    /// because a tag that is missing on one resource would say nothing about the others.
    pub fn tags(&self, present: Option<&TaggedExpiry>) -> Tags {
        let (at, by) = match (self, present) {
            (Self::Until { moment, by, .. }, _) => (moment.as_str(), Some(by.as_str())),
            (_, None) => return Tags::new(),
            (Self::Unlimited(by), Some(_)) => (NO_EXPIRY, Some(by.as_str())),
            (Self::Unset, Some(present)) => match present.by.as_deref() {
                Some(by) if by == ExpirySource::File.as_str() => (NO_EXPIRY, Some(by)),
                by => (present.at.as_str(), by),
            },
        };
        let by = by.map(|by| (EXPIRES_BY_TAG.to_owned(), by.to_owned()));
        [(EXPIRES_TAG.to_owned(), at.to_owned())].into_iter().chain(by).collect()
    }

    /// Returns the same for a plan that does not count what each `up` does by itself: a duration that starts again.
    pub fn tags_without_renewal(&self, present: Option<&TaggedExpiry>) -> Tags {
        match (self, present) {
            (Self::Until { moment, by, is_duration: true }, Some(present))
                if present.at <= *moment && present.by.as_deref() == Some(by.as_str()) =>
            {
                let kept = Self::Until { moment: present.at.clone(), by: *by, is_duration: true };
                kept.tags(Some(present))
            }
            _ => self.tags(present),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLY: &str = "2027-01-01T00:00:00Z";
    const LATE: &str = "2027-02-01T00:00:00Z";

    fn present(at: &str, by: Option<&str>) -> Option<TaggedExpiry> {
        Some(TaggedExpiry { at: at.to_owned(), by: by.map(str::to_owned) })
    }

    fn until(moment: &str, by: ExpirySource) -> Lifetime {
        Lifetime::Until { moment: moment.to_owned(), by, is_duration: true }
    }

    /// Returns the moment and its source in the tags.
    fn values(tags: &Tags) -> (Option<&str>, Option<&str>) {
        (tags.get(EXPIRES_TAG).map(String::as_str), tags.get(EXPIRES_BY_TAG).map(String::as_str))
    }

    #[test]
    fn expiry_is_set_renewed_shortened_and_lifted() {
        let file = ExpirySource::File;
        for (lifetime, before, expected) in [
            (Lifetime::Unset, None, (None, None)),
            (Lifetime::Unlimited(file), None, (None, None)),
            (until(LATE, file), None, (Some(LATE), Some("file"))),
            (until(LATE, file), present(EARLY, Some("file")), (Some(LATE), Some("file"))),
            (until(EARLY, file), present(LATE, Some("flag")), (Some(EARLY), Some("file"))),
            (Lifetime::Unlimited(file), present(LATE, Some("flag")), (Some("never"), Some("file"))),
            (until(LATE, ExpirySource::Flag), present("never", Some("file")), (Some(LATE), Some("flag"))),
        ] {
            assert_eq!(values(&lifetime.tags(before.as_ref())), expected, "{lifetime:?} after {before:?}");
        }
    }

    #[test]
    fn expiry_removed_from_the_file_is_lifted_and_one_from_the_flag_is_kept() {
        let after = |by| values_of(Lifetime::Unset.tags(present(LATE, by).as_ref()));
        assert_eq!(after(Some("file")).0, Some("never".to_owned()));
        assert_eq!(after(Some("flag")), (Some(LATE.to_owned()), Some("flag".to_owned())));
        assert_eq!(after(None), (Some(LATE.to_owned()), None), "an older version does not tell who set it");
    }

    fn values_of(tags: Tags) -> (Option<String>, Option<String>) {
        (tags.get(EXPIRES_TAG).cloned(), tags.get(EXPIRES_BY_TAG).cloned())
    }

    #[test]
    fn plan_counts_a_shortened_expiry_but_not_a_renewed_one() {
        let planned = |lifetime: &Lifetime, before: Option<TaggedExpiry>| {
            values_of(lifetime.tags_without_renewal(before.as_ref())).0
        };
        let file = ExpirySource::File;
        assert_eq!(planned(&until(LATE, file), present(EARLY, Some("file"))), Some(EARLY.to_owned()));
        assert_eq!(planned(&until(EARLY, file), present(LATE, Some("file"))), Some(EARLY.to_owned()));
        let fixed = Lifetime::Until { moment: LATE.to_owned(), by: file, is_duration: false };
        assert_eq!(planned(&fixed, present(EARLY, Some("file"))), Some(LATE.to_owned()));
    }
}
