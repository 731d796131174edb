//! The files of the checkout and the packages of its workspace.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{At as _, Error};
use crate::process::line;
use crate::workspace::{builder, written_files};

/// The files and packages to check.
#[derive(Default)]
pub struct Tree {
    /// The text of every text file, by its path from the root.
    pub files: BTreeMap<PathBuf, String>,
    /// The packages of the workspace.
    pub packages: Vec<Package>,
}

/// A package of the workspace.
#[derive(Clone, Debug, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// The path of its manifest from the root.
    #[serde(rename = "manifest_path")]
    pub manifest: PathBuf,
    /// Its libraries, programs and tests.
    pub targets: Vec<Target>,
    /// Its direct dependencies.
    pub dependencies: Vec<Dependency>,
}

/// A library, program or test.
#[derive(Clone, Debug, Deserialize)]
pub struct Target {
    /// `lib`, `bin`, `test`, `custom-build` …
    pub kind: Vec<String>,
    /// The path of its first file from the root.
    #[serde(rename = "src_path")]
    pub source: PathBuf,
}

/// A package that another depends on.
#[derive(Clone, Debug, Deserialize)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// `dev`, `build`, or nothing for a normal dependency.
    pub kind: Option<String>,
}

impl Package {
    /// Returns its folder.
    pub fn folder(&self) -> &Path {
        self.manifest.parent().unwrap_or(Path::new(""))
    }
}

impl Tree {
    /// Reads the checkout below `root`.
    ///
    /// # Errors
    /// If git or cargo cannot tell which files and packages it has.
    pub fn read(root: &Path) -> Result<Self, Error> {
        Ok(Self { files: texts(root, written_files(root)?), packages: packages(root)? })
    }

    /// Returns the files with one of these extensions.
    pub fn with_extension<'a>(&'a self, extensions: &'a [&str]) -> impl Iterator<Item = (&'a Path, &'a str)> {
        let matches = |path: &Path| extensions.iter().any(|end| path.extension().is_some_and(|own| own == *end));
        self.files.iter().map(|(path, text)| (path.as_path(), text.as_str())).filter(move |(path, _)| matches(path))
    }

    /// Returns the package of a file: the one with the innermost folder.
    pub fn package_of(&self, file: &Path) -> Option<&Package> {
        let packages = self.packages.iter().filter(|package| file.starts_with(package.folder()));
        packages.max_by_key(|package| package.folder().components().count())
    }
}

fn texts(root: &Path, files: Vec<PathBuf>) -> BTreeMap<PathBuf, String> {
    // A file that is not text is not checked; one that was deleted is not in the next commit.
    files.into_iter().filter_map(|file| fs::read_to_string(root.join(&file)).ok().map(|text| (file, text))).collect()
}

fn packages(root: &Path) -> Result<Vec<Package>, Error> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let mut command = builder("cargo");
    command.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(root);
    let output = command.stderr(std::process::Stdio::inherit()).output().at(root)?;
    if !output.status.success() {
        return Err(Error::Failed { what: line(&command) });
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)
        .map_err(|error| Error::Missing(format!("cannot read the output of `{}`: {error}", line(&command))))?;
    // cargo resolves links on the way to the checkout.
    let root = fs::canonicalize(root).at(root)?;
    Ok(metadata.packages.into_iter().map(|package| package.below(&root)).collect())
}

impl Package {
    /// Returns the package with paths relative to `root`.
    fn below(self, root: &Path) -> Self {
        let short = |path: PathBuf| path.strip_prefix(root).map_or(path.clone(), Path::to_path_buf);
        let shorten = |target: Target| Target { source: short(target.source), ..target };
        let targets = self.targets.into_iter().map(shorten).collect();
        Self { manifest: short(self.manifest), targets, ..self }
    }
}

#[cfg(test)]
pub mod samples {
    //! Small trees for the tests of the rules.
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]

    use super::*;

    /// Writes these files to a temporary folder and reads them as a tree with one library, `sample`.
    pub fn tree(files: &[(&str, &str)]) -> Tree {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let names = files.iter().map(|(path, _)| PathBuf::from(path)).collect();
        Tree { files: texts(folder.path(), names), packages: vec![package("sample", &[])] }
    }

    /// Returns a package in a folder of its name; `sample` is at the root.
    pub fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
        let folder = if name == "sample" { PathBuf::new() } else { PathBuf::from(name) };
        let dependencies = dependencies
            .iter()
            .map(|(name, kind)| Dependency { name: (*name).to_owned(), kind: kind.map(str::to_owned) });
        Package {
            name: name.to_owned(),
            manifest: folder.join("Cargo.toml"),
            targets: vec![Target { kind: vec!["lib".to_owned()], source: folder.join("src/lib.rs") }],
            dependencies: dependencies.collect(),
        }
    }
}
