//! What cargo has built, from its messages.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::error::Error;
use crate::process::line;

/// A program that cargo has built.
pub struct Artifact {
    /// Its name.
    pub name: String,
    /// The program.
    pub path: PathBuf,
    /// The folder of its package.
    pub folder: PathBuf,
    /// Whether it has the tests of its target.
    pub is_test: bool,
}

/// Builds, and returns the programs.
///
/// # Errors
/// If something does not build.
pub fn artifacts(mut command: Command) -> Result<Vec<Artifact>, Error> {
    command.args(["--message-format", "json-render-diagnostics"]).stderr(Stdio::inherit());
    let output = command.output().map_err(|source| Error::Start { program: "cargo".to_owned(), source })?;
    if !output.status.success() {
        return Err(Error::Failed { what: line(&command) });
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(|line| artifact(&serde_json::from_str(line).ok()?)).collect())
}

fn artifact(message: &Value) -> Option<Artifact> {
    let manifest = Path::new(message.get("manifest_path")?.as_str()?);
    Some(Artifact {
        name: message.pointer("/target/name")?.as_str()?.to_owned(),
        path: PathBuf::from(message.get("executable")?.as_str()?),
        folder: manifest.parent()?.to_owned(),
        is_test: message.pointer("/profile/test")?.as_bool()?,
    })
}

/// Returns the path of the program with this name.
///
/// # Errors
/// If there is none among those that were built.
pub fn program(artifacts: &[Artifact], name: &str) -> Result<PathBuf, Error> {
    let found = artifacts.iter().find(|artifact| artifact.name == name);
    found.map(|artifact| artifact.path.clone()).ok_or_else(|| Error::Missing(format!("cargo has built no {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_read_from_the_messages_of_cargo() {
        let message = serde_json::json!({
            "reason": "compiler-artifact",
            "manifest_path": "/checkout/sample/Cargo.toml",
            "target": { "name": "sample" },
            "profile": { "test": true },
            "executable": "/target/deps/sample-1",
        });
        let found =
            artifact(&message).map(|artifact| (artifact.name, artifact.path, artifact.folder, artifact.is_test));
        let expected = ("sample".to_owned(), "/target/deps/sample-1".into(), "/checkout/sample".into(), true);
        assert_eq!(found, Some(expected));
        assert!(artifact(&serde_json::json!({ "reason": "build-finished", "success": true })).is_none());
    }
}
