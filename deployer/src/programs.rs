//! The embedded server programs: their bytes, what they need to run, and how they are packed.

#[cfg(test)]
mod archive;

use object::elf::{EM_X86_64, FileHeader64};
use object::read::elf::{ElfFile64, VersionIndex};
use object::{Endianness, Object as _};

use crate::engine::ResourceError;

/// The C library of Amazon Linux 2023, on which the functions and the host run.
const GLIBC: Version = Version(2, 34);

/// A server program.
#[derive(Clone, Copy)]
pub struct Program {
    /// The name, such as `api`.
    pub name: &'static str,
    /// The ELF file.
    pub bytes: &'static [u8],
}

/// The API: the bootstrap of all functions.
pub static API: Program = Program { name: "api", bytes: include_bytes!(concat!(env!("OUT_DIR"), "/api")) };
/// The signaling server.
pub static SIGNAL: Program = Program { name: "signal", bytes: include_bytes!(concat!(env!("OUT_DIR"), "/signal")) };

/// The API as an archive for Lambda with the `bootstrap`. The build packs it, because packing takes a second.
pub const API_ZIP: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/api.zip"));

/// The signaling server, compressed: less than half of its bytes are uploaded to the bucket and downloaded by the host.
pub const SIGNAL_GZ: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/signal.gz"));

include!(concat!(env!("OUT_DIR"), "/digests.rs"));

/// A version of the C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32);

impl std::fmt::Display for Version {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.0, self.1)
    }
}

/// Checks that the program runs on Amazon Linux 2023.
///
/// # Errors
/// Fails if it is for another processor or needs a newer C library; the error says how to fix it.
pub fn check(program: &Program) -> Result<(), ResourceError> {
    let reason = match needs(program.bytes) {
        Err(reason) => reason,
        Ok(needed) => match needed.filter(|needed| *needed > GLIBC) {
            None => return Ok(()),
            Some(needed) => format!("it needs glibc {needed}, but Amazon Linux 2023 has {GLIBC}"),
        },
    };
    Err(ResourceError::new(format!("the program `{}` does not run on Amazon Linux 2023", program.name))
        .caused_by(reason)
        .hint("build a release with `cargo xtask dist`, and run `up` with the peersync-deploy that it creates"))
}

/// Returns the newest version of the C library that the program needs, or `None` if it is linked statically.
fn needs(bytes: &[u8]) -> Result<Option<Version>, String> {
    let file =
        ElfFile64::<Endianness>::parse(bytes).map_err(|error| format!("it is not a 64-bit ELF file: {error}"))?;
    let header: &FileHeader64<Endianness> = file.elf_header();
    if header.e_machine.get(file.endian()) != EM_X86_64 {
        return Err("it is not for x86_64".to_owned());
    }
    let imports = file.imports().map_err(|error| format!("failed to read its imports: {error}"))?;
    if imports.is_empty() {
        return Ok(None);
    }
    let versions = file
        .elf_section_table()
        .versions(file.endian(), bytes)
        .map_err(|error| format!("failed to read its symbol versions: {error}"))?;
    let Some(versions) = versions else { return Ok(None) };
    let newest = (0..=u16::MAX)
        .map_while(|index| versions.version(VersionIndex(index)).ok())
        .flatten()
        .filter_map(|version| glibc_version(version.name()))
        .max();
    Ok(newest)
}

fn glibc_version(name: &[u8]) -> Option<Version> {
    let text = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?;
    let mut numbers = text.split('.').map(str::parse);
    Some(Version(numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic here fails the test")]
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use md5::Md5;
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn both_programs_are_elf_files() {
        for program in [API, SIGNAL] {
            let needed = needs(program.bytes).unwrap();
            assert!(needed.is_none_or(|needed| needed >= Version(2, 2)), "{}: {needed:?}", program.name);
        }
    }

    #[test]
    fn unsuitable_programs_are_refused_with_a_hint() {
        let error = check(&Program { name: "api", bytes: b"#!/bin/sh" }).unwrap_err();
        assert!(error.to_string().contains("`api`"), "{error}");
        assert!(error.hint.unwrap().contains("cargo xtask dist"));
        let mut other = SIGNAL.bytes.to_vec();
        // The machine's number is at byte 18: 183 is aarch64.
        other.splice(18..20, [183, 0]);
        let other: &'static [u8] = Box::leak(other.into_boxed_slice());
        let error = check(&Program { name: "signal", bytes: other }).unwrap_err();
        assert_eq!(error.causes(), ["it is not for x86_64"]);
    }

    #[test]
    fn versions_are_compared_numerically() {
        assert_eq!(glibc_version(b"GLIBC_2.34"), Some(GLIBC));
        assert!(glibc_version(b"GLIBC_2.4").unwrap() < GLIBC);
        assert!(glibc_version(b"GLIBC_2.2.5").unwrap() < GLIBC);
        assert!(glibc_version(b"GLIBC_2.36").unwrap() > GLIBC);
        assert_eq!(glibc_version(b"GCC_3.0"), None);
    }

    #[test]
    fn archives_contain_the_programs() {
        assert_eq!(archive::pack(API.bytes).unwrap(), API_ZIP);
        assert_eq!(archive::compress(SIGNAL.bytes).unwrap(), SIGNAL_GZ);
    }

    #[test]
    fn digests_match_the_embedded_programs() {
        assert_eq!(API_SHA256, hex::encode(Sha256::digest(API.bytes)));
        assert_eq!(API_ZIP_SHA256, STANDARD.encode(Sha256::digest(API_ZIP)));
        assert_eq!(API_ZIP_MD5, hex::encode(Md5::digest(API_ZIP)));
        assert_eq!(SIGNAL_SHA256, hex::encode(Sha256::digest(SIGNAL.bytes)));
        assert_eq!(SIGNAL_GZ_MD5, hex::encode(Md5::digest(SIGNAL_GZ)));
    }
}
