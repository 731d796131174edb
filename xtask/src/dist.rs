//! The release: the server programs for Amazon Linux 2023, and the deployer with them inside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{At as _, Error};
use crate::process::{self, line};
use crate::tools::{Tool, python};
use crate::workspace::{builder, deployer, on_path, runtime_programs, target};

/// The version of glibc in Amazon Linux 2023.
pub const GLIBC: (u32, u32) = (2, 34);
/// The two architectures of functions and hosts.
pub const ARCHITECTURES: [&Architecture; 2] = [X86_64, ARM64];
/// Intel and AMD.
pub const X86_64: &Architecture = &Architecture { target: "x86_64-unknown-linux-gnu", folder: "" };
/// AWS's Graviton. The deployer's build finds its programs in this folder.
pub const ARM64: &Architecture = &Architecture { target: "aarch64-unknown-linux-gnu", folder: "arm64" };

/// An architecture for which the server programs are built.
pub struct Architecture {
    /// The name of the compiler's target.
    target: &'static str,
    /// The folder of the programs below [`runtime_programs`].
    folder: &'static str,
}

impl Architecture {
    /// Returns the folder with the programs, once built.
    pub fn programs(&self) -> PathBuf {
        runtime_programs().join(self.folder)
    }
}

/// The profile of the programs that the deployer carries.
const PROFILE: &str = "runtime";
/// The server programs.
pub const PROGRAMS: [&str; 3] = ["api", "signal", "relay"];

/// Builds the release, with the programs for both architectures, and checks it.
///
/// # Errors
/// If a tool is missing, the build fails, or a program needs a newer glibc.
pub fn run() -> Result<(), Error> {
    Tool::Arm64.prepare()?;
    for architecture in ARCHITECTURES {
        runtime(architecture)?;
    }
    let mut build = builder("cargo");
    build.args(["build", "--release", "--package", "peersync-deploy"]);
    process::run(build.env("PEERSYNC_RUNTIME_DIR", runtime_programs()))?;
    for path in ARCHITECTURES.iter().flat_map(|one| PROGRAMS.map(|program| one.programs().join(program))) {
        let (needed, program) = (glibc_needed(&path)?, path.display());
        println!("{program}: glibc {}.{} or newer, {} KB", needed.0, needed.1, kilobytes(&path)?);
        if needed > GLIBC {
            let what = format!("the check that {program} runs with glibc {}.{}", GLIBC.0, GLIBC.1);
            return Err(Error::Failed { what });
        }
    }
    println!("{}: {} KB", deployer().display(), kilobytes(&deployer())?);
    Ok(())
}

/// Builds the server programs of an architecture for Amazon Linux 2023 into its folder.
///
/// # Errors
/// If zig or cargo-zigbuild cannot be installed, or the build fails.
pub fn runtime(architecture: &Architecture) -> Result<(), Error> {
    let python = python()?;
    let tools = python.parent().map(Path::to_path_buf).unwrap_or_default();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut build = builder(tools.join("cargo-zigbuild"));
    build.args(["zigbuild", "--profile", PROFILE, "--package", "peersync-runtime", "--bins"]);
    build.args(["--target", &format!("{}.{}.{}", architecture.target, GLIBC.0, GLIBC.1)]);
    build.arg("--target-dir").arg(target().join("al2023"));
    build.env("PATH", format!("{}:{path}", tools.display()));
    process::run(&mut build)?;
    let folder = architecture.programs();
    // The deployer's build watches this one, and so notices that programs come into it.
    let watched = ARM64.programs();
    fs::create_dir_all(&watched).at(&watched)?;
    for program in PROGRAMS {
        let built = target().join("al2023").join(architecture.target).join(PROFILE).join(program);
        copy_if_changed(&built, &folder.join(program))?;
    }
    Ok(())
}

/// Copies a file only if it differs, so that an unchanged program does not cause a new build of the deployer.
fn copy_if_changed(from: &Path, to: &Path) -> Result<(), Error> {
    let new = fs::read(from).at(from)?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    fs::copy(from, to).at(to).map(|_| ())
}

/// Returns the newest version of glibc that a program needs.
///
/// # Errors
/// If readelf is missing or cannot read the file.
pub fn glibc_needed(program: &Path) -> Result<(u32, u32), Error> {
    if on_path("readelf").is_none() {
        return Err(Error::Missing("readelf is missing: install binutils".to_owned()));
    }
    let mut command = Command::new("readelf");
    command.args(["--wide", "--version-info"]).arg(program);
    let output = command.output().at(program)?;
    if !output.status.success() {
        return Err(Error::Failed { what: line(&command) });
    }
    Ok(newest_glibc(&String::from_utf8_lossy(&output.stdout)))
}

fn newest_glibc(symbols: &str) -> (u32, u32) {
    let versions = symbols.split("GLIBC_").skip(1).filter_map(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
        let mut numbers = rest.get(..end)?.split('.');
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    });
    versions.max().unwrap_or((0, 0))
}

fn kilobytes(path: &Path) -> Result<u64, Error> {
    Ok(fs::metadata(path).at(path)?.len() / 1024)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]

    use std::collections::BTreeMap;

    use toml::{Table, Value};

    use super::{PROFILE, newest_glibc};
    use crate::workspace::{builder, root};

    /// Returns the optimisation levels that a profile sets for single packages.
    fn levels(manifest: &Table, profile: &str) -> BTreeMap<String, Value> {
        let packages = manifest["profile"][profile]["package"].as_table().unwrap();
        packages.iter().map(|(name, settings)| (name.clone(), settings["opt-level"].clone())).collect()
    }

    #[test]
    fn profile_of_the_server_programs_optimises_every_package_of_theirs() {
        let manifest: Table = toml::from_str(&std::fs::read_to_string(root().join("Cargo.toml")).unwrap()).unwrap();
        let (own, inherited) = (levels(&manifest, PROFILE), levels(&manifest, "release"));
        let mut tree = builder("cargo");
        tree.args(["tree", "--offline", "--package", "peersync-runtime", "--prefix", "none"]);
        tree.args(["--edges", "normal,no-proc-macro"]);
        let output = tree.output().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let packages: Vec<&str> = output.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert!(packages.contains(&"peersync-api") && packages.contains(&"aws-smithy-runtime"), "{output}");
        let of_profile = &manifest["profile"][PROFILE]["opt-level"];
        let is_optimised = |name: &str| {
            let level = own.get(name).or_else(|| inherited.get(name)).unwrap_or(of_profile);
            *level == Value::from(2) || *level == Value::from("s")
        };
        let not_optimised: Vec<&str> = packages.into_iter().filter(|name| !is_optimised(name)).collect();
        assert!(not_optimised.is_empty(), "missing in [profile.{PROFILE}.package]: {not_optimised:?}");
    }

    #[test]
    fn newest_glibc_version_counts() {
        let versions = "0x10: Name: GLIBC_2.2.5  Flags: none\n0x20: Name: GLIBC_2.34  Flags: none  Version: 3\n";
        assert_eq!(newest_glibc(versions), (2, 34));
        assert_eq!(newest_glibc("0x10:   Name: GLIBC_2.9  Flags: none  Version: 5"), (2, 9));
        assert_eq!(newest_glibc("static"), (0, 0));
    }
}
