//! The server programs of a development build: built by cargo beside this program when a command first needs them.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use peersync_engine::ResourceError;
use peersync_resources::{Program, Programs};

use super::needs;
use super::package::{self, Package};

/// The names of the programs.
const PROGRAMS: [&str; 3] = ["api", "signal", "relay"];
/// What the programs are built from, below the checkout.
const SOURCES: [&str; 8] = [
    "crates/server",
    "crates/api",
    "crates/relay",
    "crates/signal",
    "crates/websocket",
    "runtime",
    "vendor",
    "Cargo.lock",
];

/// Returns the programs beside this one; builds them first if they are missing or older than their sources.
///
/// # Errors
/// They cannot be built or read.
pub(super) fn programs(workspace: &Path, building: impl FnOnce()) -> Result<Programs, ResourceError> {
    let own = env::current_exe().map_err(|error| failed("failed to find this program's own file", error))?;
    let folder = own.parent().unwrap_or(Path::new("."));
    // Test programs are one folder further down.
    let folder = folder.parent().filter(|_| folder.ends_with("deps")).unwrap_or(folder);
    if !is_current(workspace, folder) {
        building();
        build(workspace, folder)?;
    }
    let [api, signal, relay] = PROGRAMS.map(|name| read(folder, name));
    Ok(Programs::new(api?, signal?, relay?))
}

/// Whether all programs exist and no source is newer. Without the sources there is nothing to compare with.
fn is_current(workspace: &Path, folder: &Path) -> bool {
    let sources = SOURCES.iter().filter_map(|source| newest(&workspace.join(source))).max();
    let programs = PROGRAMS.map(|name| modified(&folder.join(name)));
    programs.iter().all(|built| built.is_some_and(|built| sources.is_none_or(|changed| changed <= built)))
}

/// Returns when the newest file at or below this path was changed.
fn newest(path: &Path) -> Option<SystemTime> {
    if !path.is_dir() {
        return modified(path);
    }
    let entries = fs::read_dir(path).ok()?;
    entries.filter_map(|entry| newest(&entry.ok()?.path())).max()
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|data| data.modified()).ok()
}

/// Builds the programs into the folder, in the profile and the target folder of this program, so that its dependencies
/// serve again.
fn build(workspace: &Path, folder: &Path) -> Result<(), ResourceError> {
    let profile = match folder.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let target = folder.parent().unwrap_or(folder);
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // With the deployer among the packages, cargo chooses the features with which its dependencies were built.
    cargo.current_dir(workspace).args(["build", "--quiet", "--package", "peersync-deploy", "--package"]);
    cargo.args(["peersync-runtime", "--bins"]);
    cargo.args(["--profile", profile]).arg("--target-dir").arg(target);
    let status = cargo.status().map_err(|error| failed("failed to start cargo for the server programs", error))?;
    if !status.success() {
        return Err(failed("failed to build the server programs", format!("cargo ended with {status}")));
    }
    // Cargo leaves the date of a program as it is if none of its sources has really changed; they would look newer.
    for name in PROGRAMS {
        let file = fs::File::options().append(true).open(folder.join(name));
        let touched = file.and_then(|file| file.set_modified(SystemTime::now()));
        touched.map_err(|error| failed("failed to find a server program that was just built", error))?;
    }
    Ok(())
}

/// Reads a program and packs it.
fn read(folder: &Path, name: &'static str) -> Result<Program, ResourceError> {
    let path = folder.join(name);
    let elf = fs::read(&path).map_err(|error| failed("failed to read a server program", error))?;
    let package = package::of(name, &elf).map_err(|error| failed("failed to pack a server program", error))?;
    let Package { bytes, md5, sha256 } = package;
    // Once in a process, and needed to its end.
    Ok(Program {
        name,
        needs: needs::of(name, &elf).leak(),
        elf_sha256: package::hex_sha256(&elf).leak(),
        package: bytes.leak(),
        package_md5: md5.leak(),
        package_sha256: sha256.leak(),
    })
}

fn failed(summary: &str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ResourceError {
    ResourceError::new(summary).caused_by(cause).hint(
        "this is a development build, which builds the server programs from its checkout; `cargo xtask dist` makes a \
         release that carries them",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;

    /// A checkout with one source, and a folder with all programs that is this much newer or older.
    fn built(program_age: Option<Duration>) -> (tempfile::TempDir, PathBuf, PathBuf) {
        let temporary = tempfile::tempdir().unwrap();
        let (workspace, folder) = (temporary.path().join("checkout"), temporary.path().join("target/release"));
        fs::create_dir_all(workspace.join("crates/server/src")).unwrap();
        fs::create_dir_all(&folder).unwrap();
        let source = workspace.join("crates/server/src/lib.rs");
        fs::write(&source, "").unwrap();
        for name in PROGRAMS {
            let Some(age) = program_age else { continue };
            fs::write(folder.join(name), name).unwrap();
            let date = modified(&source).unwrap() - age;
            fs::File::options().append(true).open(folder.join(name)).unwrap().set_modified(date).unwrap();
        }
        (temporary, workspace, folder)
    }

    #[test]
    fn programs_older_than_their_sources_or_missing_are_built_again() {
        let (_kept, workspace, folder) = built(Some(Duration::ZERO));
        assert!(is_current(&workspace, &folder));
        assert!(is_current(Path::new("/nonexistent"), &folder), "without sources nothing can be newer");
        let (_kept, workspace, folder) = built(Some(Duration::from_secs(60)));
        assert!(!is_current(&workspace, &folder));
        let (_kept, workspace, folder) = built(None);
        assert!(!is_current(&workspace, &folder));
    }

    #[test]
    fn a_program_is_read_with_the_digests_of_its_package() {
        let (_kept, _, folder) = built(Some(Duration::ZERO));
        let program = read(&folder, "signal").unwrap();
        let package = package::of("signal", b"signal").unwrap();
        assert_eq!(program.package, package.bytes.as_slice());
        assert!(program.needs.starts_with("signal: it is not a 64-bit ELF file"), "{}", program.needs);
        assert_eq!((program.package_md5, program.package_sha256), (package.md5.as_str(), package.sha256.as_str()));
        assert_eq!(program.elf_sha256, package::hex_sha256(b"signal"));
    }

    #[test]
    fn a_failed_build_says_how_to_get_a_release() {
        let (_kept, workspace, folder) = built(None);
        let error = build(&workspace, &folder).unwrap_err();
        assert!(error.hint.unwrap().contains("cargo xtask dist"));
    }
}
