//! The difference between what is and what shall be: pure data, no provider, no `await`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::digest::Applied;
use super::value::{Field, Fields, LiveField};
use super::{Live, Tags};

/// The tag that holds the digest.
pub const DIGEST_TAG: &str = "peersync:digest";

/// Shown in place of a secret.
const SECRET: &str = "(secret)";
/// Shown in place of a value that is not known before the apply.
const UNKNOWN: &str = "(known after apply)";
/// Shown in place of a value that the provider does not return.
const UNREADABLE: &str = "(not readable)";

/// Who made a field differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The configuration is not what was last applied.
    Configuration,
    /// Somebody changed it in AWS since it was last applied.
    Drift,
    /// Both.
    Both,
    /// Nothing tells: the resource carries no digest.
    Unknown,
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// The field; `tags.KEY` for a tag.
    pub field: String,
    /// What it is; `null` where it is absent. Secrets are never here.
    pub old: Value,
    /// What it shall be. Secrets are never here.
    pub new: Value,
    /// Who made it differ.
    pub reason: Reason,
}

/// All differences of one resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Changes(Vec<FieldChange>);

impl Changes {
    /// Whether this field differs.
    pub fn has(&self, field: &str) -> bool {
        self.0.iter().any(|change| change.field == field)
    }

    /// Whether one of these fields differs.
    pub fn has_any(&self, fields: &[&str]) -> bool {
        fields.iter().any(|field| self.has(field))
    }

    /// Whether any tag differs, the digest included.
    pub fn tags(&self) -> bool {
        self.0.iter().any(|change| change.field.starts_with("tags."))
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The differences a person is shown: all but the digest itself.
    pub fn shown(&self) -> impl Iterator<Item = &FieldChange> {
        let digest = format!("tags.{DIGEST_TAG}");
        self.0.iter().filter(move |change| change.field != digest)
    }

    /// All differences, the digest included.
    pub fn iter(&self) -> impl Iterator<Item = &FieldChange> {
        self.0.iter()
    }
}

impl FromIterator<FieldChange> for Changes {
    fn from_iter<I: IntoIterator<Item = FieldChange>>(changes: I) -> Self {
        Self(changes.into_iter().collect())
    }
}

/// The fields of a resource that does not exist yet, as changes from nothing.
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

/// Compares a found resource with what it shall be. `tags` are the wanted tags, the digest included where it is known;
/// tags that others have put on the resource are left alone.
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
    // Without a digest nothing tells why a field is not there.
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
            reason: if old.is_none() { Reason::Drift } else { Reason::Unknown },
        }
    })
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
