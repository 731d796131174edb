//! The published crate, from the sources that cargo has downloaded.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

use super::reach::Sources;
use crate::error::{At as _, Error};
use crate::process::line;
use crate::workspace::{builder, root, target};

/// Returns the folder of a published crate. cargo downloads and verifies it if it is not on this machine.
///
/// # Errors
/// If cargo cannot get it.
pub fn folder(name: &str, version: &str) -> Result<PathBuf, Error> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        manifest_path: PathBuf,
    }
    let manifest = dependent(name, version)?;
    let metadata = |more: &[&str]| {
        let mut command = builder("cargo");
        command.args(["metadata", "--format-version", "1"]).args(more).arg("--manifest-path").arg(&manifest);
        command
    };
    // Without the net, as a rule: the crate was downloaded before.
    let mut output = metadata(&["--offline"]).output().at(&manifest)?;
    if !output.status.success() {
        output = metadata(&[]).stderr(Stdio::inherit()).output().at(&manifest)?;
    }
    if !output.status.success() {
        return Err(Error::Failed { what: line(&metadata(&[])) });
    }
    let known: Metadata = serde_json::from_slice(&output.stdout)
        .map_err(|error| Error::Missing(format!("cannot read the output of `{}`: {error}", line(&metadata(&[])))))?;
    let found = known.packages.into_iter().find(|package| package.name == name);
    let folder = found.and_then(|package| package.manifest_path.parent().map(Path::to_path_buf));
    folder.ok_or_else(|| Error::Missing(format!("cargo does not know the folder of {name} {version}")))
}

/// Writes a package that depends on a crate, and returns the path of its manifest.
fn dependent(name: &str, version: &str) -> Result<PathBuf, Error> {
    let folder = target().join("trim-sdk").join(format!("{name}-{version}"));
    let manifest = folder.join("Cargo.toml");
    let library = folder.join("lib.rs");
    fs::create_dir_all(&folder).at(&folder)?;
    fs::write(&library, "").at(&library)?;
    let text = format!(
        "[package]\nname = \"trim-sdk\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[lib]\npath = \"lib.rs\"\n\n\
         [dependencies]\n{name} = {{ version = \"={version}\", default-features = false }}\n"
    );
    fs::write(&manifest, text).at(&manifest)?;
    // The versions of the checkout, so that no other ones are downloaded.
    let lock = root().join("Cargo.lock");
    fs::copy(&lock, folder.join("Cargo.lock")).at(&lock)?;
    Ok(manifest)
}

/// Reads the Rust sources below a folder.
///
/// # Errors
/// If one cannot be read.
pub fn sources(folder: &Path) -> Result<Sources, Error> {
    let mut sources = Sources::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).at(&next)? {
            let path = entry.at(&next)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).at(&path)?;
                let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                sources.insert(name, text);
            }
        }
    }
    Ok(sources)
}
