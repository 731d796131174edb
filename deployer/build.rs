//! Puts the pages and, for a release, the server programs (`api`, `signal`, `relay`) into the deployer.
//!
//! `PEERSYNC_RUNTIME_DIR` names the folder with the programs, as `cargo xtask dist` builds them for Amazon Linux 2023: those
//! for x86_64 in it, those for arm64 in its folder `arm64`, which may be missing or empty. Without it this is a development
//! build: it carries no programs, and builds them when a command first needs them.

#[path = "src/artifacts/compact.rs"]
mod compact;
#[path = "src/artifacts/needs.rs"]
mod needs;
#[path = "src/artifacts/package.rs"]
mod package;

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use package::Package;

/// The environment variable that names a folder with prebuilt programs.
const READY: &str = "PEERSYNC_RUNTIME_DIR";
/// The folders of the architectures below that one.
const ARCHITECTURES: [&str; 2] = ["", "arm64"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed={READY}");
    println!("cargo::rerun-if-changed=src/artifacts/package.rs");
    println!("cargo::rerun-if-changed=src/artifacts/needs.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo did not set OUT_DIR")?);
    pages(&out)?;
    let code = match env::var_os(READY).filter(|folder| !folder.is_empty()) {
        Some(folder) => embedded(Path::new(&folder), &out)?,
        None => format!("Source::Development({:?})", workspace()?),
    };
    fs::write(out.join("programs.rs"), code)?;
    Ok(())
}

/// Writes the pages, as they are published, to the folder that the deployer embeds.
fn pages(out: &Path) -> Result<(), Box<dyn Error>> {
    let assets = workspace()?.join("assets");
    let site = out.join("site");
    if site.exists() {
        fs::remove_dir_all(&site)?;
    }
    println!("cargo::rerun-if-changed=src/artifacts/compact.rs");
    println!("cargo::rerun-if-changed={}", assets.display());
    publish(&assets, &site)
}

fn publish(folder: &Path, target: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(target)?;
    for entry in fs::read_dir(folder)? {
        let (source, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if source.is_dir() {
            publish(&source, &target.join(name))?;
        } else {
            fs::write(target.join(&name), compact::compact(&name.to_string_lossy(), &fs::read(&source)?))?;
        }
    }
    Ok(())
}

/// Puts the programs of this folder, and their packages, where the deployer includes them from; returns the expression
/// that does so.
fn embedded(folder: &Path, out: &Path) -> Result<String, Box<dyn Error>> {
    let mut all = String::new();
    for below in ARCHITECTURES {
        let folder = folder.join(below);
        if !below.is_empty() {
            // Cargo runs this program at every build if it watches something that does not exist.
            if folder.is_dir() {
                println!("cargo::rerun-if-changed={}", folder.display());
            }
            if !folder.join("api").is_file() {
                continue;
            }
        }
        let [api, signal, relay] = ["api", "signal", "relay"].map(|name| program(&folder, out, name, below));
        all += &format!("[{}, {}, {}], ", api?, signal?, relay?);
    }
    Ok(format!("Source::Embedded(&[{all}])"))
}

fn program(folder: &Path, out: &Path, name: &str, below: &str) -> Result<String, Box<dyn Error>> {
    let source = folder.join(name);
    println!("cargo::rerun-if-changed={}", source.display());
    let elf = fs::read(&source).map_err(|error| format!("cannot read the program {}: {error}", source.display()))?;
    let Package { bytes, md5, sha256 } = package::of(name, &elf)?;
    let file = out.join(format!("{name}{below}.package"));
    fs::write(&file, bytes)?;
    let (needs, elf_sha256) = (needs::of(name, &elf), package::hex_sha256(&elf));
    Ok(format!(
        "Program {{ name: {name:?}, needs: {needs:?}, elf_sha256: {elf_sha256:?}, \
         package: include_bytes!({file:?}), package_md5: {md5:?}, package_sha256: {sha256:?} }}"
    ))
}

fn workspace() -> Result<PathBuf, Box<dyn Error>> {
    let deployer = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo did not set CARGO_MANIFEST_DIR")?);
    Ok(deployer.parent().ok_or("the deployer is not in a workspace")?.to_path_buf())
}
