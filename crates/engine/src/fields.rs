//! The fields of a resource by name.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// The name of a field, as a constant of its kind, so that a typing error does not compile.
///
/// Names are stable: the digests of deployed resources depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldName(&'static str);

impl FieldName {
    /// Returns the name with this text.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Returns the text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// The values of fields, by name. Its entries are those of a map; kinds with fields that are named only at run time, one
/// for each file for example, use the map itself.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldMap<T>(BTreeMap<String, T>);

impl<T> FieldMap<T> {
    /// Returns a map without fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: FieldName, value: impl Into<T>) -> Self {
        self.0.insert(name.0.to_owned(), value.into());
        self
    }

    /// Returns the value of a field.
    pub fn field(&self, name: FieldName) -> Option<&T> {
        self.0.get(name.0)
    }
}

impl<T> Default for FieldMap<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Deref for FieldMap<T> {
    type Target = BTreeMap<String, T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> DerefMut for FieldMap<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<T> From<BTreeMap<String, T>> for FieldMap<T> {
    fn from(fields: BTreeMap<String, T>) -> Self {
        Self(fields)
    }
}

impl<T, const N: usize> From<[(String, T); N]> for FieldMap<T> {
    fn from(fields: [(String, T); N]) -> Self {
        Self(fields.into())
    }
}

impl<T> FromIterator<(String, T)> for FieldMap<T> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

impl<T> Extend<(String, T)> for FieldMap<T> {
    fn extend<I: IntoIterator<Item = (String, T)>>(&mut self, fields: I) {
        self.0.extend(fields);
    }
}

impl<T> IntoIterator for FieldMap<T> {
    type Item = (String, T);
    type IntoIter = std::collections::btree_map::IntoIter<String, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a FieldMap<T> {
    type Item = (&'a String, &'a T);
    type IntoIter = std::collections::btree_map::Iter<'a, String, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
