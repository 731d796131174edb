//! Builds the programs of the trials: the deployer and the unit tests with switchable rules, and the suites.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::list::Test;
use crate::built::{Artifact, artifacts, program};
use crate::error::{At as _, Error};
use crate::suites::{cargo, suites_program};
use crate::workspace::target;

/// The feature that makes rules switchable.
const FEATURE: &str = "rules";
/// The package of the deployer, and its program.
const DEPLOYER: &str = "peersync-deploy";

/// The programs of the trials.
pub(super) struct Programs {
    /// The deployer with switchable rules.
    pub(super) deployer: PathBuf,
    /// The suites.
    pub(super) suites: PathBuf,
    /// The unit tests with switchable rules, by package, each with the folder that it runs in.
    units: BTreeMap<String, (PathBuf, PathBuf)>,
}

impl Programs {
    /// Builds what these tests need.
    ///
    /// # Errors
    /// If something does not build.
    pub(super) fn build(tests: &BTreeSet<&Test>) -> Result<Self, Error> {
        let built = artifacts(switchable(&["build", "--bins", "--package", DEPLOYER], &[DEPLOYER]))?;
        let deployer = keep(&program(&built, DEPLOYER)?)?;
        let suites = suites_program()?;
        Ok(Self { deployer, suites, units: unit_tests(tests)? })
    }

    /// Returns the program with the unit tests of a package, and the folder that it runs in.
    pub(super) fn unit(&self, package: &str) -> Result<(&Path, &Path), Error> {
        let unit = self.units.get(package).map(|(program, folder)| (program.as_path(), folder.as_path()));
        unit.ok_or_else(|| Error::Missing(format!("the unit tests of {package} were not built")))
    }
}

fn unit_tests(tests: &BTreeSet<&Test>) -> Result<BTreeMap<String, (PathBuf, PathBuf)>, Error> {
    let packages: BTreeSet<&str> = tests
        .iter()
        .filter_map(|test| match test {
            Test::Unit { package, .. } => Some(package.as_str()),
            Test::Suite(_) => None,
        })
        .collect();
    if packages.is_empty() {
        return Ok(BTreeMap::new());
    }
    // With the deployer among them, as in every other build: without it the SDK would have other features and be built
    // once more.
    let all: Vec<&str> = packages.iter().copied().chain([DEPLOYER]).collect();
    let mut command = switchable(&["test", "--no-run", "--lib"], &all);
    command.args(all.iter().flat_map(|package| ["--package", package]));
    let built: Vec<_> = artifacts(command)?.into_iter().filter(|artifact| artifact.is_test).collect();
    packages.into_iter().map(|package| unit_test(&built, package)).collect()
}

/// Finds the unit tests of a package among the built programs.
fn unit_test(built: &[Artifact], package: &str) -> Result<(String, (PathBuf, PathBuf)), Error> {
    let library = package.replace('-', "_");
    let found = built.iter().find(|artifact| artifact.name == library);
    let found = found.ok_or_else(|| Error::Missing(format!("{package} has no unit tests")))?;
    Ok((package.to_owned(), (found.path.clone(), found.folder.clone())))
}

/// Returns cargo with the feature of these packages.
fn switchable(arguments: &[&str], packages: &[&str]) -> Command {
    let features: Vec<String> = packages.iter().map(|package| format!("{package}/{FEATURE}")).collect();
    let mut command = cargo(arguments);
    command.args(["--release", "--features", &features.join(",")]);
    command
}

/// Keeps a program under a path that the next plain build does not replace.
fn keep(program: &Path) -> Result<PathBuf, Error> {
    let folder = target().join("rules");
    fs::create_dir_all(&folder).at(&folder)?;
    let kept = folder.join(program.file_name().unwrap_or_default());
    // A program of an earlier run may exist.
    let _ = fs::remove_file(&kept);
    fs::hard_link(program, &kept).at(&kept)?;
    Ok(kept)
}
