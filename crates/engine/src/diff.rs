//! The difference between actual and desired state: pure data, no provider, no `await`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::digest::Applied;
use super::value::{Field, LiveField};
use super::{FieldName, Fields, Live, Tags};

/// The key of the tag that holds the digest.
pub const DIGEST_TAG: &str = "peersync:digest";
/// The tag with the time after which the stack may be removed, in RFC 3339 and UTC.
pub const EXPIRES_TAG: &str = "peersync:expires-at";
/// The value of [`EXPIRES_TAG`] after an expiry was lifted. It sorts after every moment.
pub const NO_EXPIRY: &str = "never";
/// The tag that says who set the expiry: `flag` for `up --expires`, `file` for the configuration.
pub const EXPIRES_BY_TAG: &str = "peersync:expires-by";

/// Shown in place of a secret.
const SECRET: &str = "(secret)";
/// Shown in place of a value that is not known before the apply.
const UNKNOWN: &str = "(known after apply)";
/// Shown in place of a value that the provider does not return.
const UNREADABLE: &str = "(not readable)";

/// Why a field differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The configuration has changed since it was last applied.
    Configuration,
    /// The field was changed in AWS since it was last applied.
    Drift,
    /// Both the configuration and the field in AWS have changed.
    Both,
    /// The reason is unknown, because the resource carries no digest.
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
    /// The desired value. Never contains secrets.
    pub new: Value,
    /// Why the field differs.
    pub reason: Reason,
}

impl FieldChange {
    /// Returns whether this is one of the tags about the expiry.
    pub fn is_expiry(&self) -> bool {
        self.field.strip_prefix("tags.").is_some_and(is_expiry_tag)
    }

    /// Returns what is done to the expiry, if this is the tag with its moment.
    pub fn expiry_change(&self) -> Option<ExpiryChange> {
        if self.field.strip_prefix("tags.") != Some(EXPIRES_TAG) {
            return None;
        }
        // Moments in RFC 3339 and UTC sort as text.
        Some(match (self.old.as_str(), self.new.as_str()) {
            (_, Some(NO_EXPIRY)) => ExpiryChange::Lifted,
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

    /// Returns whether any tag differs, including the digest.
    pub fn tags(&self) -> bool {
        self.0.iter().any(|change| change.field.starts_with("tags."))
    }

    /// Returns whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the differences that people see: all but the digest itself.
    pub fn shown(&self) -> impl Iterator<Item = &FieldChange> {
        let digest = format!("tags.{DIGEST_TAG}");
        self.0.iter().filter(move |change| change.field != digest)
    }

    /// Returns all differences, including the digest.
    pub fn iter(&self) -> impl Iterator<Item = &FieldChange> {
        self.0.iter()
    }
}

impl FromIterator<FieldChange> for Changes {
    fn from_iter<I: IntoIterator<Item = FieldChange>>(changes: I) -> Self {
        Self(changes.into_iter().collect())
    }
}

/// Returns the fields of a resource that does not exist yet, as changes from nothing.
pub fn creation(fields: &Fields) -> Changes {
    fields
        .iter()
        .map(|(name, field)| FieldChange {
            field: name.clone(),
            old: Value::Null,
            new: shown(field),
            reason: Reason::Configuration,
        })
        .collect()
}

/// Compares actual and desired state. `tags` are the wanted tags, including the digest if it is known; tags that others
/// have added are ignored.
pub fn compare(live: &Live, fields: &Fields, tags: &Tags) -> Changes {
    let recorded = live.tags.as_ref().and_then(|tags| tags.get(DIGEST_TAG)).map(String::as_str);
    let applied = Applied::decode(recorded, fields.keys().map(String::as_str));
    let mut changes: Vec<FieldChange> =
        fields.iter().filter_map(|(name, field)| compare_field(name, field, live.fields.get(name), &applied)).collect();
    if let Some(live_tags) = &live.tags {
        changes.extend(compare_tags(live_tags, tags));
    }
    Changes(changes)
}

fn compare_field(name: &str, field: &Field, live: Option<&LiveField>, applied: &Applied<'_>) -> Option<FieldChange> {
    let configured = applied.desired_is(name, field);
    let differs = match (field, live) {
        (Field::Unknown, _) => true,
        (Field::Known(new), Some(LiveField::Known(old))) => new != old,
        (Field::Secret(new), Some(LiveField::Secret(old))) => new != old,
        (_, Some(LiveField::Unreadable)) => configured != Some(true),
        (_, None) => true,
        _ => true,
    };
    if !differs {
        return None;
    }
    // Without a digest it is unknown why a field is missing.
    let drifted = match live {
        Some(live) => applied.live_is(name, live).map(|same| !same),
        None => applied.is_known().then_some(true),
    };
    let reason = match (configured.map(|same| !same), drifted) {
        (Some(true), Some(true)) => Reason::Both,
        (_, Some(true)) => Reason::Drift,
        (Some(true), _) => Reason::Configuration,
        _ if matches!(field, Field::Unknown) => Reason::Configuration,
        _ => Reason::Unknown,
    };
    Some(FieldChange { field: name.to_owned(), old: live.map_or(Value::Null, shown_live), new: shown(field), reason })
}

fn compare_tags<'a>(
    live: &'a BTreeMap<String, String>,
    wanted: &'a Tags,
) -> impl Iterator<Item = FieldChange> + use<'a> {
    wanted.iter().filter(|(key, value)| live.get(*key) != Some(*value)).map(|(key, value)| {
        let old = live.get(key);
        FieldChange {
            field: format!("tags.{key}"),
            old: old.map_or(Value::Null, |old| Value::from(old.as_str())),
            new: Value::from(value.as_str()),
            reason: match old {
                _ if is_expiry_tag(key) => Reason::Configuration,
                None => Reason::Drift,
                Some(_) => Reason::Unknown,
            },
        }
    })
}

/// Returns whether this is the key of one of the tags about the expiry.
fn is_expiry_tag(key: &str) -> bool {
    matches!(key, EXPIRES_TAG | EXPIRES_BY_TAG)
}

fn shown(field: &Field) -> Value {
    match field {
        Field::Known(value) => value.clone(),
        Field::Secret(_) => Value::from(SECRET),
        Field::Unknown => Value::from(UNKNOWN),
    }
}

fn shown_live(field: &LiveField) -> Value {
    match field {
        LiveField::Known(value) => value.clone(),
        LiveField::Secret(_) => Value::from(SECRET),
        LiveField::Unreadable => Value::from(UNREADABLE),
    }
}
