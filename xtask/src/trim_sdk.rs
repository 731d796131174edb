//! `cargo xtask trim-sdk`: writes copies of SDK crates that contain only the operations that the project calls.
//!
//! The SDK crates have three million lines, of which the project uses a few operations; to compile them whole is most of a
//! clean build. The copies are in `vendor/`, with the list of the operations.

mod items;
mod manifest;
mod prune;
mod published;
mod reach;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;

use self::reach::{Reached, Sources};
use crate::error::{At as _, Error};
use crate::workspace::root;

/// The path of the list from the root of the checkout.
const LIST: &str = "vendor/operations.toml";

/// What to keep of a crate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The exact version, as in `Cargo.lock`.
    version: String,
    /// The features that the workspace enables.
    features: BTreeSet<String>,
    /// The operations, as the methods of the client are named.
    operations: BTreeSet<String>,
}

/// Writes all crates of the list, and prints how much of each is left.
///
/// # Errors
/// If the list is wrong, cargo cannot get a crate, or a file cannot be written.
pub fn run() -> Result<(), Error> {
    let list = root().join(LIST);
    let text = fs::read_to_string(&list).at(&list)?;
    let wanted: BTreeMap<String, Wanted> =
        toml::from_str(&text).map_err(|error| Error::Missing(format!("{LIST}: {error}")))?;
    for (name, wanted) in &wanted {
        trim(name, wanted)?;
    }
    Ok(())
}

fn trim(name: &str, wanted: &Wanted) -> Result<(), Error> {
    let of_crate = |error| match error {
        Error::Missing(text) => Error::Missing(format!("{name}: {text}")),
        other => other,
    };
    let published = published::folder(name, &wanted.version)?;
    let sources = published::sources(&published.join("src"))?;
    let reached = Reached::from(&sources, &wanted.operations).map_err(of_crate)?;
    let kept = text::trimmed(&sources, &reached).map_err(of_crate)?;
    println!("{name} {}: {}, of {}", wanted.version, size(&kept), size(&sources));

    let manifest = published.join("Cargo.toml");
    let manifest = fs::read_to_string(&manifest).at(&manifest)?;
    let license = published.join("LICENSE");
    let license = fs::read_to_string(&license).at(&license)?;
    let mut files: Sources = kept.into_iter().map(|(path, text)| (format!("src/{path}"), text)).collect();
    files.insert("Cargo.toml".to_owned(), manifest::manifest(&manifest, &wanted.features).map_err(of_crate)?);
    files.insert("LICENSE".to_owned(), license);
    files.insert("README.md".to_owned(), manifest::readme(name, &wanted.version, &wanted.operations));
    write(&root().join("vendor").join(name), &files)
}

fn size(sources: &Sources) -> String {
    let lines: usize = sources.values().map(|text| text.lines().count()).sum();
    format!("{lines} lines in {} files", sources.len())
}

/// Writes a crate in place of what is in its folder. Files that stay the same keep their date, so that cargo does not
/// compile a crate again that has not changed.
fn write(folder: &Path, files: &Sources) -> Result<(), Error> {
    for (path, text) in files {
        let path = folder.join(path);
        if fs::read_to_string(&path).is_ok_and(|written| written == *text) {
            continue;
        }
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).at(parent)?;
        fs::write(&path, text).at(&path)?;
    }
    remove_others(folder, folder, files).map(|_| ())
}

/// Removes the files below `at` that do not belong to the crate in `folder`, and the folders without any that does.
/// Returns whether something is left.
fn remove_others(folder: &Path, at: &Path, files: &Sources) -> Result<bool, Error> {
    let mut left = false;
    for entry in fs::read_dir(at).at(at)? {
        let path = entry.at(at)?.path();
        let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if path.is_dir() {
            left |= remove_others(folder, &path, files)?;
        } else if files.contains_key(&name) {
            left = true;
        } else {
            fs::remove_file(&path).at(&path)?;
        }
    }
    if !left {
        fs::remove_dir(at).at(at)?;
    }
    Ok(left)
}

#[cfg(test)]
mod tests;
