//! The list of rules.

use std::fmt;
use std::fs;

use serde::Deserialize;

use crate::error::{At as _, Error};
use crate::workspace::root;

/// The list, in the checkout.
const FILE: &str = "tests/rules.toml";
/// What the name of one of the deployer's own tests begins with.
const UNIT: &str = "unit:";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// What it says.
    pub(super) name: String,
    /// Where it stands, from the root of the checkout.
    pub(super) file: String,
    /// The text that is the rule; once in the file.
    pub(super) text: String,
    /// What stands in its place without it.
    #[serde(default)]
    pub(super) becomes: String,
    /// The test that fails without it.
    pub(super) test: Test,
}

/// A test by its name.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(from = "String")]
pub(super) enum Test {
    /// One of the suites.
    Suite(String),
    /// One of the deployer's own.
    Unit(String),
}

impl From<String> for Test {
    fn from(name: String) -> Self {
        match name.strip_prefix(UNIT) {
            Some(unit) => Self::Unit(unit.to_owned()),
            None => Self::Suite(name),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suite(name) => formatter.write_str(name),
            Self::Unit(name) => write!(formatter, "{UNIT}{name}"),
        }
    }
}

/// Reads the list.
pub(super) fn read() -> Result<Vec<Rule>, Error> {
    let file = root().join(FILE);
    let text = fs::read_to_string(&file).at(&file)?;
    let list: File = toml::from_str(&text).map_err(|error| Error::Missing(format!("{FILE}: {error}")))?;
    Ok(list.rule)
}

impl Rule {
    /// The file's content without the rule.
    pub(super) fn taken_out_of(&self, content: &str) -> Result<String, Error> {
        match content.matches(&self.text).count() {
            1 => Ok(content.replace(&self.text, &self.becomes)),
            count => {
                Err(Error::Missing(format!("{FILE}: the text of `{}` is {count} times in {}", self.name, self.file)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;

    /// So that the list does not fall behind the sources between two runs of it.
    #[test]
    fn every_rule_is_where_the_list_says_and_its_test_exists() {
        for rule in read().unwrap() {
            let content = fs::read_to_string(root().join(&rule.file)).unwrap();
            assert_ne!(rule.taken_out_of(&content).unwrap(), content, "{}", rule.name);
            let (file, test) = match &rule.test {
                Test::Suite(name) => {
                    let (suite, test) = name.split_once("::").unwrap();
                    (format!("tests/tests/suites/{suite}.rs"), test)
                }
                Test::Unit(name) => {
                    let (module, test) = name.trim_end_matches("::tests").rsplit_once("::").unwrap();
                    let module = module.trim_end_matches("::tests").replace("::", "/");
                    (format!("deployer/src/{module}.rs"), test)
                }
            };
            let tests = fs::read_to_string(root().join(&file)).unwrap();
            let there = tests.contains(&format!("fn {test}(")) || tests.contains(&format!("    {test}: "));
            assert!(there, "{}: {file} has no test {test}", rule.name);
        }
    }
}
