//! The position of each value of a stage in the file.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The byte ranges of every key and value, by path such as `site.domain`.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(BTreeMap<String, Place>);

/// The byte ranges of a key and of its value.
#[derive(Clone, Debug)]
struct Place {
    key: Range<usize>,
    value: Range<usize>,
}

impl Places {
    /// Returns the positions of a table's values, including those of nested tables.
    pub fn of(table: &DeTable<'_>) -> Self {
        let mut places = Self::default();
        places.collect("", table);
        places
    }

    /// Returns the range of the value, or, if the file does not have it, of the name of the nearest section around it.
    pub fn value(&self, key: &str) -> Option<Range<usize>> {
        match self.0.get(key) {
            Some(place) => Some(place.value.clone()),
            None => self.section(key),
        }
    }

    fn section(&self, key: &str) -> Option<Range<usize>> {
        let (section, _) = key.rsplit_once('.')?;
        self.0.get(section).map(|place| place.key.clone()).or_else(|| self.section(section))
    }

    fn collect(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = format!("{prefix}{}", key.get_ref());
            if let DeValue::Table(inner) = value.get_ref() {
                self.collect(&format!("{path}."), inner);
            }
            self.items(&path, value);
            self.0.insert(path, Place { key: key.span(), value: value.span() });
        }
    }

    fn items(&mut self, path: &str, value: &Spanned<DeValue<'_>>) {
        let DeValue::Array(items) = value.get_ref() else { return };
        for (index, item) in items.iter().enumerate() {
            self.0.insert(format!("{path}.{index}"), Place { key: item.span(), value: item.span() });
        }
    }
}
