//! The folders and files of the checkout and of its target folder.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{At as _, Error};
use crate::process::line;

/// Returns the root of the checkout. `cargo run` tells where it is now; the folder in which this program was compiled may
/// be another one, since cargo takes what it built for a checkout that was moved, or that shares a target folder.
pub fn root() -> PathBuf {
    let own =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    own.parent().unwrap_or(&own).to_path_buf()
}

/// Returns the folder that cargo builds into.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |path| root().join(path))
}

/// Returns the folder with the programs of the release profile.
pub fn release() -> PathBuf {
    target().join("release")
}

/// Returns the path of the deployer, once built.
pub fn deployer() -> PathBuf {
    release().join("peersync-deploy")
}

/// Returns the folder with the server programs for Amazon Linux 2023, which the deployer's build embeds.
pub fn runtime_programs() -> PathBuf {
    target().join("runtime-al2023")
}

/// Returns a command for a program that builds in the checkout, such as cargo. It does not inherit what cargo told
/// *this* program about its own package: build scripts watch the same variables, and would build again what a plain
/// `cargo` has built.
pub fn builder(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    let of_this_package = |name: &str| ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| name.starts_with(start));
    for (name, _) in env::vars_os().filter(|(name, _)| of_this_package(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command.current_dir(root());
    command
}

/// Returns the folder with the output of the suites.
pub fn logs() -> PathBuf {
    target().join("test-logs")
}

/// Whether this runs in continuous integration.
pub fn ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}

/// Returns the path of a program on the search path.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Returns the files of a checkout that git tracks or would add, relative to its root.
///
/// # Errors
/// If git fails.
pub fn tracked_files(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut command = Command::new("git");
    command.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let output = command.output().at(root)?;
    if !output.status.success() {
        return Err(Error::Failed { what: line(&command) });
    }
    let names = output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| PathBuf::from(String::from_utf8_lossy(name).into_owned())).collect())
}

/// Returns the [`tracked_files`] without the generated crates in `vendor/`, to whose sources no rule of the project applies.
///
/// # Errors
/// If git fails.
pub fn written_files(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let is_generated = |path: &PathBuf| path.starts_with("vendor") && path.components().count() > 2;
    Ok(tracked_files(root)?.into_iter().filter(|path| !is_generated(path)).collect())
}
