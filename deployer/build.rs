//! Embeds the server programs (`api`, `signal`) and the pages into the deployer.
//!
//! The programs are built by a separate cargo in its own target folder (`<target>/runtime`), because the outer cargo
//! holds the lock on its target folder. `PEERSYNC_RUNTIME_DIR` names a folder with prebuilt programs, such as those
//! that `cargo xtask dist` builds for Amazon Linux 2023.

#[path = "src/programs/archive.rs"]
mod archive;
#[path = "src/site/compact.rs"]
mod compact;

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::{Digest as _, Sha256};

/// The environment variable that names a folder with prebuilt programs.
const READY: &str = "PEERSYNC_RUNTIME_DIR";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed={READY}");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo did not set OUT_DIR")?);
    pages(&out)?;
    let folder = match env::var_os(READY).filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => build(&out)?,
    };
    let (api, signal) = (carry(&folder, &out, "api")?, carry(&folder, &out, "signal")?);
    let (zip, compressed) = (archive::pack(&api)?, archive::compress(&signal)?);
    fs::write(out.join("digests.rs"), digests(&api, &signal, &zip, &compressed))?;
    fs::write(out.join("api.zip"), zip)?;
    fs::write(out.join("signal.gz"), compressed)?;
    Ok(())
}

/// Writes the pages, as they are published, to the folder that the deployer embeds.
fn pages(out: &Path) -> Result<(), Box<dyn Error>> {
    let assets = workspace()?.join("assets");
    let site = out.join("site");
    if site.exists() {
        fs::remove_dir_all(&site)?;
    }
    println!("cargo::rerun-if-changed=src/site/compact.rs");
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

/// Copies a program to the folder that the deployer embeds, and returns its bytes.
fn carry(folder: &Path, out: &Path, program: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let source = folder.join(program);
    println!("cargo::rerun-if-changed={}", source.display());
    let bytes =
        fs::read(&source).map_err(|error| format!("failed to read the program {}: {error}", source.display()))?;
    fs::write(out.join(program), &bytes)?;
    Ok(bytes)
}

/// Returns the digests of the embedded programs as constants. Computing them in each run would take a tenth of a second
/// and load all of them into memory.
fn digests(api: &[u8], signal: &[u8], zip: &[u8], compressed: &[u8]) -> String {
    let constant =
        |about: &str, name: &str, value: String| format!("/// {about}\npub const {name}: &str = {value:?};\n");
    [
        constant("SHA-256 of [`API`] in hexadecimal.", "API_SHA256", hex::encode(Sha256::digest(api))),
        constant(
            "SHA-256 of [`API_ZIP`] in base64, as Lambda returns it as `CodeSha256`.",
            "API_ZIP_SHA256",
            STANDARD.encode(Sha256::digest(zip)),
        ),
        constant("MD5 of [`API_ZIP`] in hexadecimal, as S3 returns it.", "API_ZIP_MD5", hex::encode(Md5::digest(zip))),
        constant("SHA-256 of [`SIGNAL`] in hexadecimal.", "SIGNAL_SHA256", hex::encode(Sha256::digest(signal))),
        constant(
            "MD5 of [`SIGNAL_GZ`] in hexadecimal, as S3 returns it.",
            "SIGNAL_GZ_MD5",
            hex::encode(Md5::digest(compressed)),
        ),
    ]
    .concat()
}

fn workspace() -> Result<PathBuf, Box<dyn Error>> {
    let deployer = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo did not set CARGO_MANIFEST_DIR")?);
    Ok(deployer.parent().ok_or("the deployer is not in a workspace")?.to_path_buf())
}

/// Builds the programs and returns their folder.
fn build(out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let workspace = workspace()?;
    for source in ["runtime", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(source).display());
    }
    // OUT_DIR is <target>/<profile>/build/<package>/out.
    let target = out.ancestors().nth(4).ok_or("OUT_DIR is not in the layout that cargo uses")?.join("runtime");
    let mut cargo = Command::new(env::var_os("CARGO").ok_or("cargo did not set CARGO")?);
    cargo.current_dir(&workspace).args(["build", "--package", "peersync-runtime", "--bins", "--profile", "runtime"]);
    cargo.arg("--target-dir").arg(&target);
    for (name, _) in env::vars_os() {
        if belongs_to_outer_build(&name.to_string_lossy()) {
            cargo.env_remove(name);
        }
    }
    if !cargo.status()?.success() {
        return Err("failed to build the server programs; see the lines above".into());
    }
    Ok(target.join("runtime"))
}

/// Returns whether the outer cargo (or clippy) sets this variable for compiling *this* crate. The jobserver's variable
/// is kept, so that both builds share the cores.
fn belongs_to_outer_build(name: &str) -> bool {
    let compiler = ["RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTDOC", "RUSTFLAGS", "CARGO_TARGET_DIR"];
    let prefixes =
        ["CARGO_CFG_", "CARGO_FEATURE_", "CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_ENCODED_", "CLIPPY_", "DEP_"];
    compiler.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
}
