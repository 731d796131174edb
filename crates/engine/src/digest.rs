//! The digest tag: what was last applied, field by field, in one short string.
//!
//! For every field, in the order of their names, the tag holds 3 characters of base64url for its name and 6 for its
//! value: the first 18 bits of the SHA-256 of the name, and the first 36 of that of name and value. It serves only to
//! tell *who* changed a field (the configuration or somebody in AWS) and to compare fields that AWS does not return. At
//! 36 bits, a change goes unnoticed once in 7×10¹⁰. Because the names are in it, a version of this program with other
//! fields can read it too.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Fields;
use super::value::{Field, LiveField};

/// The version of the format.
const PREFIX: &str = "2.";
/// The version before, which has the hashes of the values alone. Digests of any other version are unknown.
const UNNAMED_PREFIX: &str = "1.";
/// The number of base64url characters for the name of a field.
const NAME_WIDTH: usize = 3;
/// The number of base64url characters for the value of a field.
const WIDTH: usize = 6;
/// The maximum number of fields whose digest fits into a tag: AWS allows 256 characters in a tag's value. A resource
/// with more fields keeps its digest elsewhere.
pub const MAXIMUM_FIELDS_OF_A_TAG: usize = (256 - PREFIX.len()) / (NAME_WIDTH + WIDTH);

/// Returns the digest of the fields, or `None` while one of them is not known.
///
/// A resource has at most [`MAXIMUM_FIELDS_OF_A_TAG`] fields, so that the tag fits, unless it keeps the digest
/// elsewhere.
pub fn encode(fields: &Fields) -> Option<String> {
    let mut digest = String::from(PREFIX);
    for (name, field) in fields {
        digest.push_str(&name_hash(name));
        digest.push_str(&field_hash(name, &canonical(field)?));
    }
    Some(digest)
}

/// Returns the length of the digest of so many fields, in characters.
pub fn length(fields: usize) -> usize {
    PREFIX.len() + fields * (NAME_WIDTH + WIDTH)
}

/// Returns the hash of a field's name. Those of one resource must differ.
pub fn name_hash(name: &str) -> String {
    short_hash(name, "", NAME_WIDTH)
}

/// A digest that was read back.
#[derive(Debug, Default)]
pub enum Applied<'a> {
    /// The resource has no digest, or one in an unknown format.
    #[default]
    Unknown,
    /// The hashes of the values by those of the names.
    Named(BTreeMap<&'a str, &'a str>),
    /// The hashes of the values, whose fields are unknown unless they are as many as now.
    Unnamed {
        /// The hashes.
        hashes: BTreeSet<&'a str>,
        /// Whether the number of fields is the same as now, so that they are the same fields.
        same_fields: bool,
    },
}

impl<'a> Applied<'a> {
    /// Reads a digest of a resource that has `number` fields now.
    pub fn decode(digest: Option<&'a str>, number: usize) -> Self {
        let Some(digest) = digest.filter(|digest| digest.is_ascii()) else { return Self::Unknown };
        if let Some(entries) = digest.strip_prefix(PREFIX) {
            if entries.len() % (NAME_WIDTH + WIDTH) != 0 {
                return Self::Unknown;
            }
            let entries = pieces(entries, NAME_WIDTH + WIDTH).map(|entry| entry.split_at_checked(NAME_WIDTH));
            return entries.collect::<Option<_>>().map_or(Self::Unknown, Self::Named);
        }
        let Some(hashes) = digest.strip_prefix(UNNAMED_PREFIX) else { return Self::Unknown };
        Self::Unnamed { hashes: pieces(hashes, WIDTH).collect(), same_fields: hashes.len() == number * WIDTH }
    }

    /// Returns whether the field was applied at all, or `None` if that is not known. A version of this program that does
    /// not have the field has not applied it.
    pub fn has(&self, name: &str) -> Option<bool> {
        match self {
            Self::Named(entries) => Some(entries.contains_key(name_hash(name).as_str())),
            Self::Unnamed { same_fields: true, .. } => Some(true),
            Self::Unnamed { .. } | Self::Unknown => None,
        }
    }

    /// Returns whether the field was applied with this value, or `None` if that is not known.
    pub fn desired_is(&self, name: &str, field: &Field) -> Option<bool> {
        self.value_is(name, &field_hash(name, &canonical(field)?))
    }

    /// Returns whether the live value is the one that was applied, or `None` if that is not known.
    pub fn live_is(&self, name: &str, field: &LiveField) -> Option<bool> {
        let text = match field {
            LiveField::Known(value) | LiveField::Unmanaged(value) => sorted(value),
            LiveField::Secret(secret) => format!("secret:{secret}"),
            LiveField::Unreadable => return None,
        };
        self.value_is(name, &field_hash(name, &text))
    }

    /// Returns whether a field that may no longer be wanted was applied.
    pub fn was_applied(&self, name: &str, live: &LiveField) -> bool {
        match self {
            Self::Named(entries) => entries.contains_key(name_hash(name).as_str()),
            Self::Unnamed { .. } | Self::Unknown => self.live_is(name, live) == Some(true),
        }
    }

    fn value_is(&self, name: &str, hash: &str) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Named(entries) => entries.get(name_hash(name).as_str()).map(|applied| *applied == hash),
            // The hash covers the name, so that it cannot be that of another field.
            Self::Unnamed { hashes, same_fields } => {
                let found = hashes.contains(hash);
                (found || *same_fields).then_some(found)
            }
        }
    }
}

/// Splits an ASCII text into pieces of this length; the last may be shorter.
fn pieces(text: &str, length: usize) -> impl Iterator<Item = &str> {
    (0..text.len()).step_by(length).filter_map(move |start| text.get(start..text.len().min(start + length)))
}

fn canonical(field: &Field) -> Option<String> {
    match field {
        Field::Known(value) => Some(sorted(value)),
        Field::Secret(secret) => Some(format!("secret:{secret}")),
        Field::Unknown | Field::NotGiven(_) => None,
    }
}

/// Returns the JSON text with the keys of objects sorted, whatever order serde_json was built to keep.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let members: BTreeMap<&String, String> = object.iter().map(|(key, value)| (key, sorted(value))).collect();
            let members: Vec<String> =
                members.into_iter().map(|(key, text)| format!("{}:{text}", Value::from(key.as_str()))).collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(sorted).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

fn field_hash(name: &str, text: &str) -> String {
    short_hash(name, text, WIDTH)
}

/// Returns the first characters of the SHA-256 of a name and a text, in base64url.
pub(super) fn short_hash(name: &str, text: &str, width: usize) -> String {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update([0]);
    hasher.update(text.as_bytes());
    let mut encoded = URL_SAFE_NO_PAD.encode(hasher.finalize());
    encoded.truncate(width);
    encoded
}
