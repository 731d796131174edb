//! The release: the server programs for Amazon Linux 2023, and the deployer with them inside.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::error::{At as _, Error};
use crate::process::{self, line};
use crate::tools::python;
use crate::workspace::{builder, deployer, on_path, runtime_programs, target};

/// The version of glibc in Amazon Linux 2023.
pub const GLIBC: (u32, u32) = (2, 34);
/// The target of the functions and of the host.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The profile of the programs that the deployer carries.
const PROFILE: &str = "runtime";
/// The server programs.
const PROGRAMS: [&str; 3] = ["api", "signal", "relay"];

/// Builds the release and checks it.
///
/// # Errors
/// If a tool is missing, the build fails, or a program needs a newer glibc.
pub fn run() -> Result<(), Error> {
    runtime()?;
    let mut build = builder("cargo");
    build.args(["build", "--release", "--package", "peersync-deploy"]);
    process::run(build.env("PEERSYNC_RUNTIME_DIR", runtime_programs()))?;
    for program in PROGRAMS {
        let path = runtime_programs().join(program);
        let needed = glibc_needed(&path)?;
        println!("{program}: glibc {}.{} or newer, {} KB", needed.0, needed.1, kilobytes(&path)?);
        if needed > GLIBC {
            let what = format!("the check that {program} runs with glibc {}.{}", GLIBC.0, GLIBC.1);
            return Err(Error::Failed { what });
        }
    }
    println!("{}: {} KB", deployer().display(), kilobytes(&deployer())?);
    Ok(())
}

/// Builds the server programs for Amazon Linux 2023 into [`runtime_programs`].
///
/// # Errors
/// If zig or cargo-zigbuild cannot be installed, or the build fails.
pub fn runtime() -> Result<(), Error> {
    let python = python()?;
    let tools = python.parent().map(Path::to_path_buf).unwrap_or_default();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut build = builder(tools.join("cargo-zigbuild"));
    build.args(["zigbuild", "--profile", PROFILE, "--package", "peersync-runtime", "--bins"]);
    build.args(["--target", &format!("{TARGET}.{}.{}", GLIBC.0, GLIBC.1)]);
    build.arg("--target-dir").arg(target().join("al2023"));
    build.env("PATH", format!("{}:{path}", tools.display()));
    process::run(&mut build)?;
    let folder = runtime_programs();
    fs::create_dir_all(&folder).at(&folder)?;
    for program in PROGRAMS {
        let built = target().join("al2023").join(TARGET).join(PROFILE).join(program);
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

/// Returns the newest version of glibc among the dynamic symbols of a program.
///
/// # Errors
/// If objdump is missing or cannot read the file.
pub fn glibc_needed(program: &Path) -> Result<(u32, u32), Error> {
    if on_path("objdump").is_none() {
        return Err(Error::Missing("objdump is missing: install binutils".to_owned()));
    }
    let mut command = Command::new("objdump");
    command.arg("-T").arg(program);
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
        let symbols = "0000 DF *UND* 0000 (GLIBC_2.2.5) read\n0000 DF *UND* 0000 (GLIBC_2.34) dlsym\n";
        assert_eq!(newest_glibc(symbols), (2, 34));
        assert_eq!(newest_glibc("0000 DF *UND* 0000 (GLIBC_2.9) pipe2"), (2, 9));
        assert_eq!(newest_glibc("static"), (0, 0));
    }
}
