//! Copies of the deployer whose server programs say that they are for other processors. What a program needs is text beside
//! it (`deployer/src/artifacts/needs.rs`); the content stays the same.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::deployer::program;

/// The numbers of the architectures in an ELF file.
pub const X86_64: u16 = 62;
/// That of arm64.
pub const ARM64: u16 = 183;
/// That of no architecture.
pub const NONE: u16 = 0;
/// The server programs.
pub const ALL: [&str; 3] = ["api", "signal", "relay"];

/// Writes a copy of the deployer into the folder in which these programs, where they are for one architecture, say that they
/// are for another. Returns its path, and how many have changed.
pub fn relabelled(folder: &Path, programs: &[&str], from: u16, to: u16) -> (PathBuf, usize) {
    let mut bytes = fs::read(program()).expect("the deployer can be read");
    let mut changed = 0;
    for name in programs {
        let label = |machine: u16| format!("{name}: ELF machine {machine:03}, ").into_bytes();
        let (old, new) = (label(from), label(to));
        // The text of a program whose name ends with that of another one is not meant.
        let places: Vec<usize> =
            (0..bytes.len().saturating_sub(old.len())).filter(|at| bytes[*at..].starts_with(&old)).collect();
        changed += usize::from(!places.is_empty());
        places.into_iter().for_each(|at| bytes[at..at + new.len()].copy_from_slice(&new));
    }
    let copy = folder.join("peersync-deploy");
    fs::write(&copy, bytes).expect("a copy of the deployer can be written");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("it can be made executable");
    (copy, changed)
}

/// A deployer whose programs are for arm64 alone.
///
/// # Panics
/// If the tested deployer is a development build, which carries no programs.
pub fn for_arm64(folder: &Path) -> PathBuf {
    let (copy, changed) = relabelled(folder, &ALL, X86_64, ARM64);
    assert_eq!(changed, ALL.len(), "the deployer carries no programs for x86_64: build it with PEERSYNC_RUNTIME_DIR");
    copy
}
