//! The suite `skeletons`: what `new-resource` and `new-route` write compiles, with its tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{At as _, Error};
use crate::process::line;
use crate::workspace::{builder, logs, root, target, tracked_files};

/// The generated kind and route.
const GENERATED: [&[&str]; 2] =
    [&["new-resource", "sqs_queue"], &["new-route", "get", "/sns-topics", "--function", "friends"]];
/// The packages that they are written into, and the one that gives every build the same features of dependencies.
const PACKAGES: [&str; 3] = ["peersync-resources", "peersync-api", "peersync-deploy"];

/// Generates both in a copy of the checkout, and compiles that. Returns the errors.
pub fn compile() -> Result<Vec<String>, Error> {
    let copy = copy_checkout()?;
    let xtask = std::env::current_exe().at(&copy)?;
    for arguments in GENERATED {
        run(Command::new(&xtask).args(arguments).arg("--root").arg(&copy))?;
    }
    // Metadata alone, as for clippy, whose dependencies are used again.
    let mut check = builder("cargo");
    check.args(["check", "--quiet", "--tests"]).args(PACKAGES.iter().flat_map(|package| ["--package", package]));
    check.env("CARGO_TARGET_DIR", target()).current_dir(&copy);
    let output = check.output().at(&copy)?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(if output.status.success() { Vec::new() } else { vec![text] })
}

/// Copies the files that git tracks to a folder of its own.
fn copy_checkout() -> Result<PathBuf, Error> {
    let copy = logs().join("skeletons");
    if copy.exists() {
        fs::remove_dir_all(&copy).at(&copy)?;
    }
    for file in tracked_files(&root())? {
        let (from, to) = (root().join(&file), copy.join(&file));
        // A file that was deleted is still tracked until the next commit.
        if from.is_file() {
            let folder = to.parent().unwrap_or(&copy);
            fs::create_dir_all(folder).at(folder)?;
            fs::copy(&from, &to).at(&from)?;
        }
    }
    Ok(copy)
}

fn run(command: &mut Command) -> Result<(), Error> {
    let output = command.output().at(Path::new(command.get_program()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Failed { what: format!("{}: {}", line(command), String::from_utf8_lossy(&output.stderr)) })
}
