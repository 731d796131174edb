//! The settings of the checks, from `xtask/tidy.toml`.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;

use crate::error::{At as _, Error};
use crate::workspace::root;

/// The path of the file from the root of the checkout.
pub const FILE: &str = "xtask/tidy.toml";

/// The settings of the checks.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What each package may depend on.
    pub packages: BTreeMap<String, Direction>,
    /// The modules of packages in layers, from bottom to top.
    pub layers: BTreeMap<String, Vec<Vec<String>>>,
    /// Cycles of modules that are allowed.
    pub cycles: Vec<Cycle>,
    /// Modules that may use only some crates and modules.
    pub modules: Vec<Restriction>,
    /// Words that must not be used.
    pub words: Vec<Word>,
}

/// What a package may depend on.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Direction {
    /// The packages of the workspace that it may depend on.
    pub uses: Vec<String>,
    /// The prefixes of packages that it must not depend on.
    pub never: Vec<String>,
}

/// A cycle of modules that is allowed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cycle {
    /// The package.
    pub package: String,
    /// The modules, which have one parent.
    pub modules: Vec<String>,
    /// Why it is allowed.
    #[expect(dead_code, reason = "for the reader of the settings; required, so that none is left out")]
    pub reason: String,
}

/// A module that may use only some crates and modules.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restriction {
    /// The package.
    pub package: String,
    /// The module, at the top level.
    pub module: String,
    /// The crates of the workspace and the top-level modules that it may use.
    pub uses: Vec<String>,
}

/// A word that must not be used.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// Its forms, in lower case. A form may have several words.
    pub forms: Vec<String>,
    /// What to write instead.
    pub instead: String,
}

/// Reads the settings.
///
/// # Errors
/// If the file cannot be read, or does not have the form of [`Settings`].
pub fn read() -> Result<Settings, Error> {
    let file = root().join(FILE);
    let text = fs::read_to_string(&file).at(&file)?;
    toml::from_str(&text).map_err(|error| Error::Missing(format!("{FILE}: {error}")))
}
