//! The desired state of a resource, its actual state, and its outputs, all as plain data.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Address, FieldMap, FieldName, ResourceError};

/// One field of the desired state.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// A value that may be shown.
    Known(Value),
    /// A value that must not be shown. Only its SHA-256 is kept, so that it can be compared.
    Secret(String),
    /// A value that depends on an output of a resource that does not exist yet.
    Unknown,
    /// A secret that this run was not given, with the reason. It is not compared with the actual one; what was applied
    /// last is.
    NotGiven(String),
}

impl Field {
    /// Creates a value that may be shown.
    pub fn known(value: impl Into<Value>) -> Self {
        Self::Known(value.into())
    }

    /// Creates a secret, which is compared by its hash and never shown.
    pub fn secret(value: &str) -> Self {
        Self::Secret(hex::encode(Sha256::digest(value.as_bytes())))
    }

    /// Returns the value, or [`Field::Unknown`] if the output that it needs is not known yet.
    pub fn known_or_unknown<T: Into<Value>>(value: Option<T>) -> Self {
        value.map_or(Self::Unknown, |value| Self::Known(value.into()))
    }
}

/// One field of the actual state.
#[derive(Clone, Debug, PartialEq)]
pub enum LiveField {
    /// The value as AWS returns it, converted to the form of the desired field.
    Known(Value),
    /// The SHA-256 of a secret that AWS returned.
    Secret(String),
    /// A list or object of what this program never puts there. It should be empty, and whatever it contains is drift, even
    /// if the resource has no digest.
    Unmanaged(Value),
    /// A value that AWS, or this endpoint, does not return: only the digest tells what was last applied.
    Unreadable,
}

impl LiveField {
    /// Creates a value that was read back.
    pub fn known(value: impl Into<Value>) -> Self {
        Self::Known(value.into())
    }

    /// Creates a secret that was read back, which is kept as its hash.
    pub fn secret(value: &str) -> Self {
        Self::Secret(hex::encode(Sha256::digest(value.as_bytes())))
    }
}

/// The desired fields of a resource.
pub type Fields = FieldMap<Field>;

/// The fields of a resource as they were read.
pub type LiveFields = FieldMap<LiveField>;

impl LiveFields {
    /// Returns the elements of a field that is a list of texts. They are none if the field has another form.
    pub fn texts(&self, name: FieldName) -> Vec<String> {
        match self.field(name) {
            Some(LiveField::Known(Value::Array(texts)) | LiveField::Unmanaged(Value::Array(texts))) => {
                texts.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// A value that may be shown.
impl<V: Into<serde_json::Value>> From<V> for Field {
    fn from(value: V) -> Self {
        Self::known(value)
    }
}

/// A value that was read back.
impl<V: Into<serde_json::Value>> From<V> for LiveField {
    fn from(value: V) -> Self {
        Self::known(value)
    }
}

/// The tags of a resource, by key.
pub type Tags = BTreeMap<String, String>;

/// Whether a resource that was found is managed by the stack.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Ownership {
    /// It carries the stack's tags, or belongs to a parent that does.
    #[default]
    Ours,
    /// It has one of the stack's names, but not its tags; the text says what was found instead.
    Foreign(String),
    /// It has one of the stack's names and can never be managed by it; the text says why.
    OutOfReach(String),
}

/// A resource as it was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    /// The identifier that AWS assigned, which update and delete use.
    pub id: String,
    /// Its fields, under the names of the desired ones.
    pub fields: LiveFields,
    /// Its tags; for kinds that cannot be tagged at most the digest that is kept for them.
    pub tags: Option<BTreeMap<String, String>>,
    /// Whether it is managed by the stack.
    pub ownership: Ownership,
    /// Its outputs.
    pub outputs: OutputMap,
}

/// A value that one resource provides to others. It must not be shown if it is secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Output {
    value: String,
    secret: bool,
}

impl Output {
    /// Returns the value itself. The caller must not show it if [`Output::is_secret`] is true.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns whether the value is secret and must not be shown.
    pub fn is_secret(&self) -> bool {
        self.secret
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.secret { formatter.write_str("(secret)") } else { fmt::Debug::fmt(&self.value, formatter) }
    }
}

/// The outputs of one resource, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputMap(BTreeMap<&'static str, Output>);

impl OutputMap {
    /// Creates an empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an output that may be shown.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.insert(name, Output { value: value.into(), secret: false });
        self
    }

    /// Adds a secret output.
    #[must_use]
    pub fn with_secret(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.insert(name, Output { value: value.into(), secret: true });
        self
    }

    /// Returns the output with this name.
    pub fn get(&self, name: &str) -> Option<&Output> {
        self.0.get(name)
    }

    /// Returns all outputs, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Output)> {
        self.0.iter().map(|(name, output)| (*name, output))
    }
}

/// The outputs of all resources, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct Outputs(BTreeMap<Address, OutputMap>);

impl Outputs {
    /// Returns the value of one output, if it is known.
    pub fn get(&self, address: &Address, name: &str) -> Option<&str> {
        self.0.get(address).and_then(|outputs| outputs.get(name)).map(Output::value)
    }

    /// Returns the value of one output.
    ///
    /// # Errors
    /// Fails if the resource has not provided it. That is a bug in this program, a missing dependency, and the error
    /// says so.
    pub fn require(&self, address: &Address, name: &str) -> Result<&str, ResourceError> {
        self.get(address, name).ok_or_else(|| {
            ResourceError::new(format!("{address} has no output `{name}`"))
                .hint("this is a bug in peersync-deploy: a dependency between two resources is missing")
        })
    }

    /// Returns the outputs of these resources alone. A resource is given those of its declared dependencies, so that a
    /// forgotten one fails at once and is not a race.
    #[must_use]
    pub fn only<'a>(&self, addresses: impl Iterator<Item = &'a Address>) -> Self {
        let known = addresses.filter_map(|address| Some((address.clone(), self.0.get(address)?.clone())));
        Self(known.collect())
    }

    /// Returns whether the outputs of this resource are known.
    pub fn has(&self, address: &Address) -> bool {
        self.0.contains_key(address)
    }

    /// Adds the outputs of a resource.
    pub fn insert(&mut self, address: Address, outputs: OutputMap) {
        self.0.insert(address, outputs);
    }

    /// Returns the outputs of every resource.
    pub fn iter(&self) -> impl Iterator<Item = (&Address, &OutputMap)> {
        self.0.iter()
    }
}
