//! What a resource wants to be, what it is, and what it gives to others: all as plain data.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Address, ResourceError};

/// One field of a desired resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// A value that may be shown.
    Known(Value),
    /// A value that may not be shown; only its SHA-256 is kept, so that it can be compared.
    Secret(String),
    /// Depends on an output of a resource that does not exist yet.
    Unknown,
}

impl Field {
    /// A value that may be shown.
    pub fn known(value: impl Into<Value>) -> Self {
        Self::Known(value.into())
    }

    /// A secret: compared by hash, never shown.
    pub fn secret(value: &str) -> Self {
        Self::Secret(hex::encode(Sha256::digest(value.as_bytes())))
    }

    /// The value where it is there, [`Field::Unknown`] where an output it needs is not known yet.
    pub fn known_or_unknown<T: Into<Value>>(value: Option<T>) -> Self {
        value.map_or(Self::Unknown, |value| Self::Known(value.into()))
    }
}

/// The fields that a resource shall have, by name. Field names are stable: the digest depends on them.
pub type Fields = BTreeMap<String, Field>;

/// What one read of AWS says of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum LiveField {
    /// The value as AWS returns it, brought into the form of the desired field.
    Known(Value),
    /// The SHA-256 of a secret that AWS returned.
    Secret(String),
    /// AWS does not return it (or this endpoint does not): only the digest tells what it was when last applied.
    Unreadable,
}

impl LiveField {
    /// A value read back.
    pub fn known(value: impl Into<Value>) -> Self {
        Self::Known(value.into())
    }

    /// A secret read back: kept as its hash.
    pub fn secret(value: &str) -> Self {
        Self::Secret(hex::encode(Sha256::digest(value.as_bytes())))
    }
}

/// The tags of a resource, by key.
pub type Tags = BTreeMap<String, String>;

/// Whose a found resource is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Ownership {
    /// It carries the tags of our stack, or belongs to a parent that does.
    #[default]
    Ours,
    /// It has our name, but not our tags; the text says what was seen instead.
    Foreign(String),
}

/// A resource as it was found.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// The identifier that AWS gave it; what update and delete use.
    pub id: String,
    /// Its fields, under the names of the desired ones.
    pub fields: BTreeMap<String, LiveField>,
    /// Its tags; `None` for kinds that cannot be tagged.
    pub tags: Option<BTreeMap<String, String>>,
    /// Whose it is.
    pub ownership: Ownership,
    /// What it gives to others.
    pub outputs: OutputMap,
}

/// A value that one resource gives to others. Never shown where it is secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Output {
    value: String,
    secret: bool,
}

impl Output {
    /// The value itself. The caller must not show it where [`Output::is_secret`].
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether it may be shown.
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
    /// No outputs.
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

    /// The output of that name.
    pub fn get(&self, name: &str) -> Option<&Output> {
        self.0.get(name)
    }

    /// All outputs in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Output)> {
        self.0.iter().map(|(name, output)| (*name, output))
    }
}

/// The outputs of all resources that are known at a moment.
#[derive(Clone, Debug, Default)]
pub struct Outputs(BTreeMap<Address, OutputMap>);

impl Outputs {
    /// The value of one output, where its resource is there.
    pub fn get(&self, address: &Address, name: &str) -> Option<&str> {
        self.0.get(address).and_then(|outputs| outputs.get(name)).map(Output::value)
    }

    /// The value of one output.
    ///
    /// # Errors
    /// The resource has not given it: a missing dependency, which is a bug of ours, said as such.
    pub fn require(&self, address: &Address, name: &str) -> Result<&str, ResourceError> {
        self.get(address, name).ok_or_else(|| {
            ResourceError::new(format!("{address} gave no output `{name}`"))
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

    /// Keeps what a resource gave.
    pub fn insert(&mut self, address: Address, outputs: OutputMap) {
        self.0.insert(address, outputs);
    }

    /// Every resource's outputs.
    pub fn iter(&self) -> impl Iterator<Item = (&Address, &OutputMap)> {
        self.0.iter()
    }
}
