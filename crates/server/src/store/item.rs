//! Reading and writing items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;

pub(super) type Attributes = HashMap<String, AttributeValue>;

/// Returns a string attribute.
pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// Returns a number attribute.
pub(super) fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Returns the value of a string attribute.
pub(super) fn get_text(item: &Attributes, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

/// Returns the value of a number attribute.
pub(super) fn get_number(item: &Attributes, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// Returns whether an attribute is `true`.
pub(super) fn get_flag(item: &Attributes, name: &str) -> bool {
    item.get(name).and_then(|value| value.as_bool().ok()).copied().unwrap_or(false)
}

/// Returns whether an item has not expired: DynamoDB deletes it some time after its end.
pub(super) fn is_valid(item: &Attributes, now: i64) -> bool {
    get_number(item, "expiresAt").is_some_and(|end| end > now)
}

/// Returns the SHA-256 in hexadecimal. Whatever grants access is stored only as this hash.
pub(super) fn hash(text: &str) -> String {
    hex::encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

/// Returns 256 random bits in base64url: 43 characters.
pub fn random_token() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// Returns 128 random bits in base64url: 22 characters.
pub(super) fn random_id() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>())
}
