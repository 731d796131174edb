//! The address of a resource in the graph.

use std::fmt;

/// The address of one resource of a stack: its kind and its role, as in `lambda_function.signup`.
///
/// Addresses are deterministic: the same configuration always gives the same addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// The kind's name in the registry, such as `lambda_function`.
    pub kind: &'static str,
    /// The name that distinguishes it from others of its kind, such as `signup`.
    pub name: String,
}

impl Address {
    /// Creates an address from a kind and a name.
    pub fn new(kind: &'static str, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.kind, self.name)
    }
}

impl serde::Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
