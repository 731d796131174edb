//! Versions that no lock file of ours has: programs that a host fetches, and C code inside of crates.

use semver::Version;
use serde::Deserialize;

use super::{Package, read};
use crate::error::Error;

/// Where the list is.
const FILE: &str = "xtask/pins.toml";

/// The list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    pin: Vec<Pin>,
}

/// Something that is pinned.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    /// Its name.
    name: String,
    /// The place of its version.
    place: Place,
    /// The first version that none of the advisories warns of.
    first_safe: Version,
    /// The day of that version's release.
    first_safe_released: String,
    /// The newest advisory about an earlier version, and what it is about.
    advisory: String,
    /// An earlier version that is used nevertheless, and why.
    accepted: Option<Accepted>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Place {
    /// The text right before the version in a file of the repository.
    File { file: String, before: String },
    /// A crate of `Cargo.lock`.
    Crate {
        #[serde(rename = "crate")]
        name: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    /// The only version for which the reason holds.
    version: Version,
    /// Why it is used.
    reason: String,
}

/// Returns a line for each pin that is older than its advisories allow.
///
/// # Errors
/// If a file cannot be read, or a pin is not where the list says.
pub fn findings(locked: &[Package]) -> Result<Vec<String>, Error> {
    Pins::parse(&read(FILE)?)?.findings(locked)
}

impl Pins {
    /// Returns the list in a text.
    ///
    /// # Errors
    /// If the text is no list.
    pub fn parse(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| Error::Missing(format!("{FILE}: {error}")))
    }

    /// Returns a line for each pin that is older than its advisories allow.
    ///
    /// # Errors
    /// If a pin is not where the list says.
    pub fn findings(&self, locked: &[Package]) -> Result<Vec<String>, Error> {
        let mut findings = Vec::new();
        for pin in &self.pin {
            let versions = pin.versions(locked)?;
            findings.extend(versions.iter().filter_map(|version| pin.problem(version)));
        }
        Ok(findings)
    }
}

impl Pin {
    fn versions(&self, locked: &[Package]) -> Result<Vec<Version>, Error> {
        let missing = || Error::Missing(format!("{FILE}: {} is not where the list says", self.name));
        let versions = match &self.place {
            Place::File { file, before } => {
                let text = read(file)?;
                let version = text.split_once(before.as_str()).and_then(|(_, after)| after.split_whitespace().next());
                vec![version.and_then(|version| version.parse().ok()).ok_or_else(missing)?]
            }
            Place::Crate { name } => {
                locked.iter().filter(|package| package.name == *name).map(|package| package.version.clone()).collect()
            }
        };
        if versions.is_empty() { Err(missing()) } else { Ok(versions) }
    }

    fn problem(&self, version: &Version) -> Option<String> {
        let accepted = self.accepted.as_ref().filter(|accepted| !accepted.reason.is_empty());
        if *version >= self.first_safe || accepted.is_some_and(|accepted| accepted.version == *version) {
            return None;
        }
        let Self { name, first_safe, first_safe_released: released, advisory, .. } = self;
        Some(format!("{name} {version} is older than {first_safe} of {released}: {advisory}"))
    }
}
