//! The keys, indexes and settings of the tables, and the form in which they are compared.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, GlobalSecondaryIndexDescription, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TimeToLiveDescription, TimeToLiveStatus,
};
use aws_smithy_types::error::operation::BuildError;
use serde_json::{Value, json};

/// The layout of a table.
pub struct Layout {
    /// The last part of its name.
    pub part: &'static str,
    /// Its keys, all of type string: the partition key, then the sort key if it has one.
    pub(super) keys: &'static [&'static str],
    /// Its index, if it has one.
    pub(super) index: Option<Index>,
    /// The attribute with the time, in seconds since 1970, after which an item is deleted.
    pub(super) expiry: Option<&'static str>,
    /// Whether it can be restored to any second of the past 35 days.
    pub(super) recovery: bool,
}

/// A global secondary index.
#[derive(Clone, Copy)]
pub(super) struct Index {
    pub(super) name: &'static str,
    pub(super) keys: &'static [&'static str],
}

/// The name of the index that finds `Users` by the beginning of their name: `searchShard` is the first two characters
/// of the name in lower case, `searchName` the whole name.
pub const INDEX: &str = "byName";

/// The attributes of an item that the index contains.
pub(super) const PROJECTION: ProjectionType = ProjectionType::All;

/// The tables. The data in `Ephemeral` is worthless after a day, so it is neither backed up nor recoverable.
pub const TABLES: &[Layout] = &[
    Layout {
        part: "Users",
        keys: &["email"],
        index: Some(Index { name: INDEX, keys: &["searchShard", "searchName"] }),
        expiry: None,
        recovery: true,
    },
    Layout { part: "UserConnections", keys: &["userEmail", "targetEmail"], index: None, expiry: None, recovery: true },
    Layout { part: "Ephemeral", keys: &["key"], index: None, expiry: Some("expiresAt"), recovery: false },
];

/// Returns keys in the form in which they are compared: `["email:S"]`.
pub(super) fn key_view(keys: &[&str]) -> Value {
    let text = ScalarAttributeType::S;
    json!(keys.iter().map(|key| format!("{key}:{}", text.as_str())).collect::<Vec<_>>())
}

/// Returns an index in the form in which it is compared.
pub(super) fn index_view(keys: &[&str], projection: &str) -> Value {
    json!({ "name": INDEX, "keys": keys, "projection": projection })
}

/// Returns the actual keys of a table, the partition key first.
pub(super) fn live_keys(keys: Option<&[KeySchemaElement]>, attributes: Option<&[AttributeDefinition]>) -> Value {
    let kind = |name: &str| {
        let attribute = attributes.unwrap_or_default().iter().find(|attribute| attribute.attribute_name == name);
        attribute.map_or("", |attribute| attribute.attribute_type.as_str())
    };
    let named = |name: &str| format!("{name}:{}", kind(name));
    json!(in_order(keys.unwrap_or_default()).into_iter().map(named).collect::<Vec<_>>())
}

/// Returns the actual state of the managed index. Indexes with other names are not managed.
pub(super) fn live_index(indexes: &[GlobalSecondaryIndexDescription]) -> Option<Value> {
    let index = indexes.iter().find(|index| index.index_name.as_deref() == Some(INDEX))?;
    let keys = in_order(index.key_schema.as_deref().unwrap_or_default());
    let projection = index.projection.as_ref().and_then(|projection| projection.projection_type.as_ref());
    Some(index_view(&keys, projection.map_or("", ProjectionType::as_str)))
}

fn in_order(keys: &[KeySchemaElement]) -> Vec<&str> {
    let mut keys: Vec<&KeySchemaElement> = keys.iter().collect();
    keys.sort_by_key(|key| key.key_type != KeyType::Hash);
    keys.into_iter().map(|key| key.attribute_name.as_str()).collect()
}

/// Returns the attribute by which items expire, if expiry is enabled.
pub(super) fn expiry_of(description: Option<&TimeToLiveDescription>) -> Option<&str> {
    let description = description?;
    let on = [TimeToLiveStatus::Enabled, TimeToLiveStatus::Enabling];
    let is_on = description.time_to_live_status.as_ref().is_some_and(|status| on.contains(status));
    description.attribute_name.as_deref().filter(|_| is_on)
}

/// Returns the key schema in the SDK's types.
pub(super) fn schema(keys: &[&str]) -> Result<Vec<KeySchemaElement>, BuildError> {
    let kinds = [KeyType::Hash, KeyType::Range];
    keys.iter()
        .zip(kinds)
        .map(|(key, kind)| KeySchemaElement::builder().attribute_name(*key).key_type(kind).build())
        .collect()
}

/// Returns the definitions of all key attributes in the SDK's types.
pub(super) fn attributes(layout: &Layout) -> Result<Vec<AttributeDefinition>, BuildError> {
    let of_index = layout.index.map_or(&[] as &[&str], |index| index.keys);
    let definition = |name: &&str| {
        AttributeDefinition::builder().attribute_name(*name).attribute_type(ScalarAttributeType::S).build()
    };
    layout.keys.iter().chain(of_index).map(definition).collect()
}

/// Returns the projection of the index in the SDK's types: all attributes, because a search shows whole accounts.
pub(super) fn projection() -> Projection {
    Projection::builder().projection_type(PROJECTION).build()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;

    #[test]
    fn created_tables_match_the_desired_state() {
        for layout in TABLES {
            let (keys, attributes) = (schema(layout.keys).unwrap(), attributes(layout).unwrap());
            assert_eq!(live_keys(Some(&keys), Some(&attributes)), key_view(layout.keys), "{}", layout.part);
            let Some(index) = layout.index else { continue };
            let live = GlobalSecondaryIndexDescription::builder()
                .index_name(index.name)
                .set_key_schema(Some(schema(index.keys).unwrap()))
                .projection(projection())
                .build();
            assert_eq!(live_index(&[live]), Some(index_view(index.keys, PROJECTION.as_str())));
        }
    }

    #[test]
    fn partition_key_is_compared_before_sort_key() {
        let mut keys = schema(&["a", "b"]).unwrap();
        keys.reverse();
        assert_eq!(live_keys(Some(&keys), None), json!(["a:", "b:"]));
    }

    #[test]
    fn expiry_that_is_being_disabled_counts_as_disabled() {
        let expiry = |status| TimeToLiveDescription::builder().attribute_name("x").time_to_live_status(status).build();
        assert_eq!(expiry_of(Some(&expiry(TimeToLiveStatus::Enabling))), Some("x"));
        assert_eq!(expiry_of(Some(&expiry(TimeToLiveStatus::Disabling))), None);
        assert_eq!(expiry_of(None), None);
    }
}
