//! The name of a node in the graph.

use std::fmt;

/// Names one resource of a stack: its kind and its role in the stack, as in `lambda_function.signup`.
///
/// Addresses are deterministic: the same configuration always gives the same ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// The kind's name in the registry, `lambda_function`.
    pub kind: &'static str,
    /// What distinguishes it among its kind, `signup`.
    pub name: String,
}

impl Address {
    /// Builds an address from a kind and a name.
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
