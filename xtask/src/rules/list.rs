//! The list of rules.

use std::fmt;
use std::fs;

use serde::Deserialize;

use crate::error::{At as _, Error};
use crate::workspace::root;

/// The list, from the root of the checkout.
pub(super) const FILE: &str = "tests/rules.toml";
/// How the name of a unit test begins.
const UNIT: &str = "unit:";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<Rule>,
}

/// A rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// Its name in the code.
    pub(super) name: String,
    /// What it says, in one sentence.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader of the list"))]
    pub(super) about: String,
    /// The test that fails without it.
    pub(super) test: Test,
}

/// A test by its name.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "String")]
pub(super) enum Test {
    /// A test of the suites.
    Suite(String),
    /// A unit test of a package.
    Unit {
        /// The package.
        package: String,
        /// The path of the test in it.
        path: String,
    },
}

impl TryFrom<String> for Test {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let Some(unit) = name.strip_prefix(UNIT) else { return Ok(Self::Suite(name)) };
        match unit.split_once(':').filter(|(_, path)| !path.starts_with(':')) {
            Some((package, path)) => Ok(Self::Unit { package: package.to_owned(), path: path.to_owned() }),
            None => Err(format!("`{name}` names no package: write `{UNIT}PACKAGE:PATH`")),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suite(name) => formatter.write_str(name),
            Self::Unit { package, path } => write!(formatter, "{UNIT}{package}:{path}"),
        }
    }
}

/// Reads the list.
pub(super) fn read() -> Result<Vec<Rule>, Error> {
    let file = root().join(FILE);
    parse(&fs::read_to_string(&file).at(&file)?)
}

fn parse(text: &str) -> Result<Vec<Rule>, Error> {
    let list: File = toml::from_str(text).map_err(|error| Error::Missing(format!("{FILE}: {error}")))?;
    Ok(list.rule)
}

#[cfg(test)]
mod tests;
