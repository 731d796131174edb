//! The advisories of the RustSec database, as far as they are about versions of crates.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use semver::{Version, VersionReq};
use serde::Deserialize;

use super::{Package, read};
use crate::error::{At as _, Error};
use crate::workspace::root;

/// Where the copy is.
const FILE: &str = "xtask/advisories.toml";
/// What is written above it.
const HEADING: &str = "\
# What the RustSec advisory database (https://github.com/rustsec/advisory-db) says about versions of crates.
# Written by `cargo xtask versions --from CHECKOUT`; not edited by hand.
";

/// The copy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The commit of the database.
    commit: String,
    /// The day of that commit.
    date: String,
    advisories: Vec<Advisory>,
}

/// One advisory. A version that is neither patched nor unaffected is one that it warns of.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advisory {
    id: String,
    #[serde(rename = "crate")]
    name: String,
    patched: Vec<VersionReq>,
    unaffected: Vec<VersionReq>,
}

impl Snapshot {
    /// Reads the copy.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read() -> Result<Self, Error> {
        Self::parse(&read(FILE)?)
    }

    /// Returns the copy in a text.
    ///
    /// # Errors
    /// If the text is no copy.
    pub fn parse(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| Error::Missing(format!("{FILE}: {error}")))
    }

    /// Returns how old it is and what is in it.
    pub fn source(&self) -> String {
        let commit = self.commit.get(..12).unwrap_or(&self.commit);
        format!("{} advisories of {} ({commit})", self.advisories.len(), self.date)
    }

    /// Returns a line for each package that an advisory warns of.
    pub fn warnings(&self, packages: &[Package]) -> Vec<String> {
        let of = |package: &Package| {
            let about = self.advisories.iter().filter(|advisory| advisory.warns_of(&package.name, &package.version));
            about.map(|advisory| advisory.text(package)).collect::<Vec<_>>()
        };
        packages.iter().flat_map(of).collect()
    }
}

impl Advisory {
    fn warns_of(&self, name: &str, version: &Version) -> bool {
        let matches = |requirement: &VersionReq| requirement.matches(version);
        self.name == name && !self.patched.iter().chain(&self.unaffected).any(matches)
    }

    fn text(&self, Package { name, version }: &Package) -> String {
        let patched: Vec<String> = self.patched.iter().map(VersionReq::to_string).collect();
        let patched = if patched.is_empty() { "no version".to_owned() } else { patched.join(" or ") };
        format!(
            "{name} {version} is affected by {}, which {patched} fixes: https://rustsec.org/advisories/{}",
            self.id, self.id
        )
    }
}

/// The head of an advisory's file in the database.
#[derive(Deserialize)]
struct Entry {
    advisory: Head,
    #[serde(default)]
    versions: Versions,
}

#[derive(Deserialize)]
struct Head {
    id: String,
    package: String,
    withdrawn: Option<toml::Value>,
}

#[derive(Default, Deserialize)]
struct Versions {
    #[serde(default)]
    patched: Vec<String>,
    #[serde(default)]
    unaffected: Vec<String>,
}

/// Writes the copy again from a checkout of the database.
///
/// # Errors
/// If the checkout cannot be read, or is none.
pub fn write(checkout: &Path) -> Result<(), Error> {
    let mut entries = Vec::new();
    let folder = checkout.join("crates");
    for name in fs::read_dir(&folder).at(&folder)? {
        let name = name.at(&folder)?.path();
        for file in fs::read_dir(&name).at(&name)? {
            let file = file.at(&name)?.path();
            let text = fs::read_to_string(&file).at(&file)?;
            let entry = entry(&text).map_err(|problem| Error::Missing(format!("{}: {problem}", file.display())))?;
            entries.extend(entry);
        }
    }
    entries.sort_by(|one, other| one.advisory.id.cmp(&other.advisory.id));
    let (commit, date) = (git(checkout, "%H")?, git(checkout, "%cs")?);
    let text = text(&commit, &date, &entries);
    Snapshot::parse(&text)?;
    let path = root().join(FILE);
    fs::write(&path, text).at(&path)
}

/// Returns the head of an advisory's file, unless it was withdrawn.
fn entry(text: &str) -> Result<Option<Entry>, String> {
    let head = text.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).ok_or("it has no head")?;
    let entry: Entry = toml::from_str(head).map_err(|error| error.to_string())?;
    Ok(Some(entry).filter(|entry| entry.advisory.withdrawn.is_none()))
}

fn text(commit: &str, date: &str, entries: &[Entry]) -> String {
    let mut text = format!("{HEADING}commit = \"{commit}\"\ndate = \"{date}\"\nadvisories = [\n");
    for Entry { advisory, versions } in entries {
        let (patched, unaffected) = (&versions.patched, &versions.unaffected);
        let (id, name) = (&advisory.id, &advisory.package);
        // Writing to a string cannot fail. The lists are of plain texts, which TOML writes like Rust.
        let _ = writeln!(
            text,
            "  {{ id = {id:?}, crate = {name:?}, patched = {patched:?}, unaffected = {unaffected:?} }},"
        );
    }
    text.push_str("]\n");
    text
}

fn git(checkout: &Path, format: &str) -> Result<String, Error> {
    let mut command = Command::new("git");
    command.arg("-C").arg(checkout).args(["log", "-1", &format!("--format={format}")]);
    let output = command.output().map_err(|source| Error::Start { program: "git".to_owned(), source })?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if text.is_empty() {
        return Err(Error::Missing(format!("{} is no checkout with a commit", checkout.display())));
    }
    Ok(text)
}
