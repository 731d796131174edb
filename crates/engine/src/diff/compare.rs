//! Compares the actual with the desired state, field by field and tag by tag, and tells who changed what.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Changes, DIGEST_TAG, FieldChange, NEW_SECRET, OWN_TAGS, RECORD_TAG, Reason, SECRET, TAG_PREFIX, UNKNOWN,
    UNREADABLE, is_expiry_tag,
};
use crate::digest::Applied;
use crate::tag_record::{TagRecord, is_record};
use crate::value::{Field, LiveField, Ownership};
use crate::{Fields, Live, Tags};

/// Returns the fields of a resource that does not exist yet, as changes from nothing.
pub fn creation(fields: &Fields) -> Changes {
    fields
        .iter()
        .map(|(name, field)| FieldChange {
            field: name.clone(),
            old: Value::Null,
            new: shown(field, None),
            reason: Reason::Configuration,
        })
        .collect()
}

/// Returns the fields that cannot be compared, each with the reason, because this run was not given their values.
pub fn not_compared(fields: &Fields) -> Vec<String> {
    let reason = |(name, field): (&String, &Field)| match field {
        Field::NotGiven(reason) => Some(format!("{name}: {reason}")),
        _ => None,
    };
    fields.iter().filter_map(reason).collect()
}

/// Compares actual and desired state. `tags` are the wanted tags, including the record and, if it is known, the digest.
/// Tags that others have added are ignored. So is the digest that a resource has while the wanted one is not known.
pub fn compare(live: &Live, fields: &Fields, tags: &Tags) -> Changes {
    let recorded = live.tags.as_ref().and_then(|tags| tags.get(DIGEST_TAG)).map(String::as_str);
    let applied = Applied::decode(recorded, fields.len());
    let changed = fields.iter().filter_map(|(name, field)| compare_field(name, field, live.fields.get(name), &applied));
    let mut changes: Vec<FieldChange> = changed.collect();
    let others = live.fields.iter().filter(|(name, _)| !fields.contains_key(*name));
    changes.extend(others.filter_map(|(name, field)| removed_field(name, field, &applied)));
    if let Some(live_tags) = &live.tags {
        changes.extend(compare_tags(live_tags, tags));
        changes.extend(removed_tags(live_tags, tags));
    }
    if matches!(live.ownership, Ownership::Foreign(_)) {
        // Nothing of it was ever applied.
        let known = changes.iter_mut().filter(|change| change.reason != Reason::Consequence);
        known.for_each(|change| change.reason = Reason::Configuration);
    }
    Changes(changes)
}

fn compare_field(name: &str, field: &Field, live: Option<&LiveField>, applied: &Applied<'_>) -> Option<FieldChange> {
    let differs = match (field, live) {
        (Field::Unknown, _) => true,
        (Field::NotGiven(_), Some(live)) => applied.live_is(name, live) == Some(false),
        (Field::Known(new), Some(LiveField::Known(old) | LiveField::Unmanaged(old))) => new != old,
        (Field::Secret(new), Some(LiveField::Secret(old))) => new != old,
        (_, Some(LiveField::Unreadable)) => applied.desired_is(name, field) != Some(true),
        _ => true,
    };
    differs.then(|| FieldChange {
        field: name.to_owned(),
        old: live.map_or(Value::Null, shown_live),
        new: shown(field, live),
        reason: reason_of_field(name, field, live, applied),
    })
}

fn reason_of_field(name: &str, field: &Field, live: Option<&LiveField>, applied: &Applied<'_>) -> Reason {
    if matches!(live, Some(LiveField::Unmanaged(_))) {
        return Reason::Drift;
    }
    let has = applied.has(name);
    if has == Some(false) {
        // The version of this program that applied the resource last did not have this field.
        return if matches!(field, Field::Unknown) { Reason::Consequence } else { Reason::Configuration };
    }
    let configured = applied.desired_is(name, field).map(|same| !same);
    let drifted = match live {
        Some(live) => applied.live_is(name, live).map(|same| !same),
        // Without a digest it is unknown why a field is missing.
        None => has,
    };
    match (configured, drifted) {
        (Some(true), Some(true)) => Reason::Both,
        (_, Some(true)) => Reason::Drift,
        (Some(true), _) => Reason::Configuration,
        _ if matches!(field, Field::Unknown) => Reason::Consequence,
        // Two values that differ are not both the one that was applied.
        (Some(false), None) => Reason::Drift,
        (None, Some(false)) => Reason::Configuration,
        _ => Reason::Unknown,
    }
}

/// Returns the removal of a field that was applied and is no longer wanted, such as a file of an older version.
fn removed_field(name: &str, live: &LiveField, applied: &Applied<'_>) -> Option<FieldChange> {
    applied.was_applied(name, live).then(|| FieldChange {
        field: name.to_owned(),
        old: shown_live(live),
        new: Value::Null,
        reason: if applied.live_is(name, live) == Some(false) { Reason::Both } else { Reason::Configuration },
    })
}

fn compare_tags<'a>(
    live: &'a BTreeMap<String, String>,
    wanted: &'a Tags,
) -> impl Iterator<Item = FieldChange> + use<'a> {
    let record = TagRecord::of(live);
    let changed = wanted.iter().filter(|(key, value)| live.get(*key) != Some(*value));
    changed.map(move |(key, value)| FieldChange {
        field: format!("{TAG_PREFIX}{key}"),
        old: live.get(key).map_or(Value::Null, |old| Value::from(old.as_str())),
        new: Value::from(value.as_str()),
        reason: reason_of_tag(key, value, live.get(key).map(String::as_str), record.as_ref()),
    })
}

fn reason_of_tag(key: &str, wanted: &str, live: Option<&str>, record: Option<&TagRecord<'_>>) -> Reason {
    if is_record(key) {
        return Reason::Configuration;
    }
    let Some(record) = record else {
        // An older version of this program has put the tags. It did not know all of our own.
        let is_new = live.is_none() && key.starts_with(OWN_TAGS);
        return if is_new || is_expiry_tag(key) { Reason::Configuration } else { Reason::Unknown };
    };
    let configured = record.value_is(key, wanted).map(|same| !same);
    let drifted = match live {
        Some(live) => record.value_is(key, live).map(|same| !same),
        None => record.has(key).then_some(true),
    };
    match (configured, drifted) {
        (Some(false), _) => Reason::Drift,
        (Some(true), Some(true)) => Reason::Both,
        (Some(true), _) => Reason::Configuration,
        // We have never put it: the configuration wants it now, and somebody else may have put another value.
        (None, _) if live.is_some() => Reason::Both,
        (None, _) => Reason::Configuration,
    }
}

/// Returns the removals of tags that we have put and that are no longer wanted. Tags of others stay.
fn removed_tags<'a>(
    live: &'a BTreeMap<String, String>,
    wanted: &'a Tags,
) -> impl Iterator<Item = FieldChange> + use<'a> {
    // Without a wanted record this resource has no tags of the stack at all.
    let record = wanted.get(RECORD_TAG).and_then(|_| TagRecord::of(live));
    let others = live.iter().filter(|(key, _)| !wanted.contains_key(*key) && !is_record(key));
    others.filter_map(move |(key, value)| {
        let same = record.as_ref()?.value_is(key, value)?;
        Some(FieldChange {
            field: format!("{TAG_PREFIX}{key}"),
            old: Value::from(value.as_str()),
            new: Value::Null,
            reason: if same { Reason::Configuration } else { Reason::Both },
        })
    })
}

fn shown(field: &Field, live: Option<&LiveField>) -> Value {
    match field {
        Field::Known(value) => value.clone(),
        Field::Secret(_) if live.is_some() => Value::from(NEW_SECRET),
        Field::Secret(_) | Field::NotGiven(_) => Value::from(SECRET),
        Field::Unknown => Value::from(UNKNOWN),
    }
}

fn shown_live(field: &LiveField) -> Value {
    match field {
        LiveField::Known(value) | LiveField::Unmanaged(value) => value.clone(),
        LiveField::Secret(_) => Value::from(SECRET),
        LiveField::Unreadable => Value::from(UNREADABLE),
    }
}
