//! The JSON Schema of `peersync.toml`. Editors use it, and the loader checks the file against it, so that the two can
//! never disagree.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::Config;

/// The pattern of a stage name, for editors; [`StageName`](super::StageName) decides.
const STAGE_PATTERN: &str = "^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$";

/// Returns the schema of the whole file, including its stages.
pub fn schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(build);
    &SCHEMA
}

fn build() -> Value {
    let generator = SchemaSettings::draft07().into_generator();
    let mut root = generator.into_root_schema_for::<Config>().to_value();
    let Some(object) = root.as_object_mut() else { return root };
    object.insert("title".to_owned(), json!("peersync.toml"));
    object.insert("description".to_owned(), json!("The configuration of PeerSync. Everything has a default."));
    let sections = object.get("properties").cloned().unwrap_or_default();
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("stages".to_owned(), stages());
    }
    if let Some(definitions) = object.get_mut("definitions").and_then(Value::as_object_mut) {
        definitions.insert("Stage".to_owned(), stage(&without_defaults(sections)));
    }
    root
}

fn stages() -> Value {
    json!({
        "type": "object",
        "description": "Settings that differ in a stage: [stages.prod.api] contains the same keys as [api].",
        "propertyNames": { "pattern": STAGE_PATTERN },
        "additionalProperties": { "$ref": "#/definitions/Stage" },
    })
}

fn stage(sections: &Value) -> Value {
    json!({
        "type": "object",
        "description": "Settings that differ in this stage from the rest of the file.",
        "properties": sections,
        "additionalProperties": false,
    })
}

/// Removes the defaults: in a stage, the default of a setting is its value in the rest of the file.
fn without_defaults(mut sections: Value) -> Value {
    for section in sections.as_object_mut().into_iter().flat_map(Map::values_mut) {
        if let Some(section) = section.as_object_mut() {
            section.remove("default");
        }
    }
    sections
}

/// What the schema says about one value, in the loader's terms.
pub(super) enum Shape<'s> {
    /// A [`Span`](super::Span).
    Span,
    /// An [`Expiry`](super::Expiry).
    Expiry,
    /// A table; `others` is the shape of every key that is not among the properties.
    Table { secret: bool, properties: Option<&'s Map<String, Value>>, others: Option<&'s Value> },
    /// A list.
    List { items: &'s Value },
    /// One of a few values.
    Choice(Vec<Value>),
    /// A string.
    Text { pattern: Option<&'s str>, message: &'s str, empty: bool },
    /// A whole number.
    Integer { minimum: Option<f64>, maximum: Option<f64> },
    /// A number.
    Number { minimum: Option<f64>, maximum: Option<f64> },
    /// `true` or `false`.
    Bool,
}

/// Reads a node of the schema. It knows the forms that schemars generates; a test covers all of them.
pub(super) fn shape<'s>(root: &'s Value, node: &'s Value) -> Option<Shape<'s>> {
    let (node, definition) = resolve(root, node);
    match definition {
        Some("Span") => return Some(Shape::Span),
        Some("Expiry") => return Some(Shape::Expiry),
        _ => {}
    }
    if let Some(choices) = choices(node) {
        return Some(Shape::Choice(choices));
    }
    let text = |key: &str| node.get(key).and_then(Value::as_str);
    let number = |key: &str| node.get(key).and_then(Value::as_f64);
    let (minimum, maximum) = (number("minimum"), number("maximum"));
    match kind(node)? {
        "object" => Some(Shape::Table {
            secret: definition == Some("Secret"),
            properties: node.get("properties").and_then(Value::as_object),
            others: node.get("additionalProperties").filter(|others| others.is_object()),
        }),
        "array" => Some(Shape::List { items: node.get("items")? }),
        "string" => Some(Shape::Text {
            pattern: text("pattern"),
            message: text("patternErrorMessage").unwrap_or_default(),
            empty: node.get("minLength").is_none(),
        }),
        "integer" => Some(Shape::Integer { minimum, maximum }),
        "number" => Some(Shape::Number { minimum, maximum }),
        "boolean" => Some(Shape::Bool),
        _ => None,
    }
}

/// Follows references and picks the one form that is not `null`.
fn resolve<'s>(root: &'s Value, node: &'s Value) -> (&'s Value, Option<&'s str>) {
    if let Some(name) = node.get("$ref").and_then(Value::as_str).and_then(|link| link.rsplit('/').next()) {
        let target = root.get("definitions").and_then(|definitions| definitions.get(name));
        return (target.unwrap_or(node), Some(name));
    }
    let forms = ["anyOf", "allOf"].into_iter().find_map(|key| node.get(key)).and_then(Value::as_array);
    match forms.and_then(|forms| forms.iter().find(|form| kind(form) != Some("null"))) {
        Some(form) => resolve(root, form),
        None => (node, None),
    }
}

fn kind(node: &Value) -> Option<&str> {
    match node.get("type")? {
        Value::String(kind) => Some(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        _ => None,
    }
}

fn choices(node: &Value) -> Option<Vec<Value>> {
    if let Some(values) = node.get("enum").and_then(Value::as_array) {
        return Some(values.iter().filter(|value| !value.is_null()).cloned().collect());
    }
    node.get("oneOf")?.as_array()?.iter().map(|form| form.get("const").cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every value in the file has a shape, and all strings with a required form describe it in words.
    #[test]
    fn every_schema_node_has_a_shape() {
        let root = schema();
        let mut nodes = vec![("root".to_owned(), root)];
        let mut leaves = 0;
        while let Some((path, node)) = nodes.pop() {
            match shape(root, node).unwrap_or_else(|| panic!("{path} has no shape: {node}")) {
                Shape::Table { properties, others, .. } => {
                    nodes.extend(properties.into_iter().flatten().map(|(key, node)| (format!("{path}.{key}"), node)));
                    nodes.extend(others.map(|node| (format!("{path}.*"), node)));
                }
                Shape::List { items } => nodes.push((format!("{path}[]"), items)),
                Shape::Text { pattern, message, .. } => {
                    leaves += 1;
                    assert_eq!(pattern.is_some(), !message.is_empty(), "{path}");
                    if let Some(pattern) = pattern {
                        assert!(regex_lite::Regex::new(pattern).is_ok(), "{path}: {pattern}");
                    }
                }
                _ => leaves += 1,
            }
        }
        assert!(leaves > 60, "{leaves}");
    }

    #[test]
    fn stage_schema_has_the_sections_of_the_file() {
        let root = schema();
        let keys = |value: Option<&Value>| -> Vec<String> {
            value.and_then(Value::as_object).map(|keys| keys.keys().cloned().collect()).unwrap_or_default()
        };
        let mut file = keys(root.pointer("/properties"));
        file.retain(|key| key != "stages");
        assert_eq!(keys(root.pointer("/definitions/Stage/properties")), file);
        assert!(file.len() >= 8);
    }
}
