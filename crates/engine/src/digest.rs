//! The digest tag: what was last applied, field by field, in one short string.
//!
//! For every field, in the order of their names, the tag holds 6 characters of base64url: the first 36 bits of the
//! SHA-256 of the field's name and value. It serves only to tell *who* changed a field (the configuration or somebody
//! in AWS) and to compare fields that AWS does not return. At 36 bits, a change goes unnoticed once in 7×10¹⁰.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Fields;
use super::value::{Field, LiveField};

/// The version of the format; a digest of any other version is treated as unknown.
const PREFIX: &str = "1.";
/// The number of base64url characters per field.
const WIDTH: usize = 6;
/// The maximum number of fields whose digest fits into a tag: AWS allows 256 characters in a tag's value. A resource
/// with more fields keeps its digest elsewhere.
pub const MAXIMUM_FIELDS_OF_A_TAG: usize = (256 - PREFIX.len()) / WIDTH;

/// Returns the digest of the fields, or `None` while one of them is not known.
///
/// A resource has at most [`MAXIMUM_FIELDS_OF_A_TAG`] fields, so that the tag fits, unless it keeps the digest
/// elsewhere.
pub fn encode(fields: &Fields) -> Option<String> {
    let mut digest = String::from(PREFIX);
    for (name, field) in fields {
        digest.push_str(&field_hash(name, &canonical(field)?));
    }
    Some(digest)
}

/// A digest that was read back, split into the hashes of the fields.
#[derive(Debug, Default)]
pub struct Applied<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Applied<'a> {
    /// Splits a digest into the hashes of these fields. If their number has changed, as with another version of this
    /// program, nothing is known.
    pub fn decode(digest: Option<&'a str>, names: impl Iterator<Item = &'a str>) -> Self {
        let Some(hashes) = digest.and_then(|digest| digest.strip_prefix(PREFIX)) else { return Self::default() };
        let names: Vec<&str> = names.collect();
        if !hashes.is_ascii() || hashes.len() != names.len() * WIDTH {
            return Self::default();
        }
        let hashes = (0..names.len()).filter_map(|index| hashes.get(index * WIDTH..(index + 1) * WIDTH));
        Self(names.into_iter().zip(hashes).collect())
    }

    /// Returns whether anything is known.
    pub fn is_known(&self) -> bool {
        !self.0.is_empty()
    }

    /// Returns whether the field was applied with this value, or `None` if that is not known.
    pub fn desired_is(&self, name: &str, field: &Field) -> Option<bool> {
        let hash = self.0.get(name)?;
        Some(*hash == field_hash(name, &canonical(field)?))
    }

    /// Returns whether the live value is the one that was applied, or `None` if that is not known.
    pub fn live_is(&self, name: &str, field: &LiveField) -> Option<bool> {
        let hash = self.0.get(name)?;
        let text = match field {
            LiveField::Known(value) => sorted(value),
            LiveField::Secret(secret) => format!("secret:{secret}"),
            LiveField::Unreadable => return None,
        };
        Some(*hash == field_hash(name, &text))
    }
}

fn canonical(field: &Field) -> Option<String> {
    match field {
        Field::Known(value) => Some(sorted(value)),
        Field::Secret(secret) => Some(format!("secret:{secret}")),
        Field::Unknown => None,
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
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update([0]);
    hasher.update(text.as_bytes());
    let mut encoded = URL_SAFE_NO_PAD.encode(hasher.finalize());
    encoded.truncate(WIDTH);
    encoded
}
