//! `cargo xtask versions`: checks that no version in `Cargo.lock`, and none of a program that a host fetches, is one that
//! an advisory warns of.
//!
//! Both lists are files of the repository, so that the check needs no network and always gives the same answer:
//! `xtask/advisories.toml` is a copy of what the RustSec advisory database says about versions, written by `cargo xtask
//! versions --from CHECKOUT`; `xtask/pins.toml` is written by hand.

mod advisories;
mod pins;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use semver::Version;
use serde::Deserialize;

use crate::error::{At as _, Error};
use crate::workspace::root;

/// The lock files whose versions are checked.
const LOCKS: [&str; 2] = ["Cargo.lock", "fuzz/Cargo.lock"];

/// What to do.
#[derive(clap::Args)]
pub struct Options {
    /// First write xtask/advisories.toml again, from this checkout of <https://github.com/rustsec/advisory-db>.
    #[arg(long, value_name = "CHECKOUT")]
    from: Option<PathBuf>,
}

/// A package of a lock file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
struct Package {
    name: String,
    version: Version,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

/// Prints the findings.
///
/// # Errors
/// If a file cannot be read or written. Findings are in the exit code.
pub fn run(options: &Options) -> Result<ExitCode, Error> {
    if let Some(checkout) = &options.from {
        advisories::write(checkout)?;
    }
    let findings = findings()?;
    for finding in &findings {
        println!("{finding}");
    }
    println!("{} findings; {}", findings.len(), advisories::Snapshot::read()?.source());
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns a line for each version that an advisory warns of.
///
/// # Errors
/// If a file cannot be read.
pub fn findings() -> Result<Vec<String>, Error> {
    let snapshot = advisories::Snapshot::read()?;
    let mut findings = Vec::new();
    let mut locked = Vec::new();
    for file in LOCKS {
        let packages = packages(&read(file)?, file)?;
        findings.extend(snapshot.warnings(&packages).into_iter().map(|warning| format!("{file}: {warning}")));
        locked.extend(packages);
    }
    findings.extend(pins::findings(&locked)?);
    Ok(findings)
}

fn packages(lock: &str, file: &str) -> Result<Vec<Package>, Error> {
    let lock: Lock = toml::from_str(lock).map_err(|error| Error::Missing(format!("{file}: {error}")))?;
    Ok(lock.package)
}

/// Returns the text of a file of the checkout.
fn read(file: impl AsRef<Path>) -> Result<String, Error> {
    let path = root().join(file);
    fs::read_to_string(&path).at(&path)
}

#[cfg(test)]
mod tests;
