//! The difference between actual and desired state: pure data, no provider, no `await`.

mod compare;

use serde::Serialize;
use serde_json::Value;

pub use self::compare::{compare, creation, not_compared};
use super::FieldName;
use super::tag_record::is_record;
pub use super::tag_record::{DIGEST_TAG, RECORD_TAG};

/// The beginning of the keys of all tags of this program.
pub const OWN_TAGS: &str = "peersync:";
/// The tag with the time after which the stack may be removed, in RFC 3339 and UTC.
pub const EXPIRES_TAG: &str = "peersync:expires-at";
/// The value of [`EXPIRES_TAG`] after an expiry was lifted. It sorts after every moment.
pub const NO_EXPIRY: &str = "never";
/// The tag that says who set the expiry: `flag` for `up --expires`, `file` for the configuration.
pub const EXPIRES_BY_TAG: &str = "peersync:expires-by";

/// Shown in place of a secret.
pub const SECRET: &str = "(secret)";
/// Shown in place of a secret that differs from the one before.
pub const NEW_SECRET: &str = "(new secret)";
/// Shown in place of a value that is not known before the apply.
pub const UNKNOWN: &str = "(known after apply)";
/// Shown in place of a value that the provider does not return.
pub const UNREADABLE: &str = "(not readable)";

/// The beginning of the names of changes that are tags.
const TAG_PREFIX: &str = "tags.";

/// Why a field differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The desired state has changed since it was last applied: the configuration, or the version of this program.
    Configuration,
    /// The field was changed in AWS since it was last applied.
    Drift,
    /// Both the configuration and the field in AWS have changed.
    Both,
    /// The field follows from another resource, which is created or replaced.
    Consequence,
    /// The reason is unknown, because the resource has no digest.
    Unknown,
}

/// What is done to a stack's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryChange {
    /// A stack that did not expire gets an expiry.
    Set,
    /// It is moved to a later time.
    Extended,
    /// It is moved to an earlier time.
    Shortened,
    /// It is taken off: the stack no longer expires.
    Lifted,
}

impl ExpiryChange {
    /// Returns whether nothing exists for a shorter time than before.
    pub fn is_harmless(self) -> bool {
        matches!(self, Self::Extended | Self::Lifted)
    }
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// The field's name; `tags.KEY` for a tag.
    pub field: String,
    /// The actual value, or `null` if the field is absent. Never contains secrets.
    pub old: Value,
    /// The desired value, or `null` if the field is removed. Never contains secrets.
    pub new: Value,
    /// Why the field differs.
    pub reason: Reason,
}

impl FieldChange {
    /// Returns the key, if this is a tag.
    pub fn tag(&self) -> Option<&str> {
        self.field.strip_prefix(TAG_PREFIX)
    }

    /// Returns whether this is one of the tags about the expiry.
    pub fn is_expiry(&self) -> bool {
        self.tag().is_some_and(is_expiry_tag)
    }

    /// Returns whether this is one of the tags that only record what was applied.
    pub fn is_record(&self) -> bool {
        self.tag().is_some_and(is_record)
    }

    /// Returns what is done to the expiry, if this is the tag with its moment.
    pub fn expiry_change(&self) -> Option<ExpiryChange> {
        if self.tag() != Some(EXPIRES_TAG) {
            return None;
        }
        // Moments in RFC 3339 and UTC sort as text.
        Some(match (self.old.as_str(), self.new.as_str()) {
            (_, Some(NO_EXPIRY)) | (Some(_), None) => ExpiryChange::Lifted,
            (None | Some(NO_EXPIRY), _) => ExpiryChange::Set,
            (Some(old), Some(new)) if old <= new => ExpiryChange::Extended,
            _ => ExpiryChange::Shortened,
        })
    }
}

/// All differences of one resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Changes(Vec<FieldChange>);

impl Changes {
    /// Returns whether this field differs.
    pub fn has(&self, field: FieldName) -> bool {
        self.has_named(field.as_str())
    }

    /// Returns whether the field of this name differs, for names that are known only at run time.
    pub fn has_named(&self, field: &str) -> bool {
        self.0.iter().any(|change| change.field == field)
    }

    /// Returns whether one of these fields differs.
    pub fn has_any(&self, fields: &[FieldName]) -> bool {
        fields.iter().any(|field| self.has(*field))
    }

    /// Returns whether any tag differs, including the digest and the record of the tags.
    pub fn tags(&self) -> bool {
        self.0.iter().any(|change| change.tag().is_some())
    }

    /// Returns whether any field differs that is no tag.
    pub fn fields(&self) -> bool {
        self.0.iter().any(|change| change.tag().is_none())
    }

    /// Returns the keys of the tags that have to be removed: those that we have put and that are no longer wanted.
    pub fn removed_tags(&self) -> Vec<String> {
        let removed = self.0.iter().filter(|change| change.new.is_null());
        removed.filter_map(|change| change.tag().map(str::to_owned)).collect()
    }

    /// Returns the names of the fields that have to be removed: those that an older version of this program has applied.
    pub fn removed_fields(&self) -> impl Iterator<Item = &str> {
        let fields = self.0.iter().filter(|change| change.tag().is_none());
        fields.filter(|change| change.new.is_null() && !change.old.is_null()).map(|change| change.field.as_str())
    }

    /// Returns whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the differences that people see: all but the records of what was applied.
    pub fn shown(&self) -> impl Iterator<Item = &FieldChange> {
        self.0.iter().filter(|change| !change.is_record())
    }

    /// Returns all differences, including the records of what was applied.
    pub fn iter(&self) -> impl Iterator<Item = &FieldChange> {
        self.0.iter()
    }
}

impl FromIterator<FieldChange> for Changes {
    fn from_iter<I: IntoIterator<Item = FieldChange>>(changes: I) -> Self {
        Self(changes.into_iter().collect())
    }
}

/// Returns whether this is the key of one of the tags about the expiry.
fn is_expiry_tag(key: &str) -> bool {
    matches!(key, EXPIRES_TAG | EXPIRES_BY_TAG)
}

#[cfg(test)]
mod tests;
