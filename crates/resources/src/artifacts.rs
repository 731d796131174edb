//! The embedded server programs: their bytes, what they need to run, and how they are packed.

use object::elf::{EM_X86_64, FileHeader64};
use object::read::elf::{ElfFile64, VersionIndex};
use object::{Endianness, Object as _};
use peersync_engine::ResourceError;
use peersync_server::routes::Route;

/// The C library of Amazon Linux 2023, on which the functions and the host run.
const GLIBC: Version = Version(2, 34);

/// Everything that is uploaded into a stack. The default is empty: enough to find and remove a stack, not to make one.
#[derive(Default)]
pub struct Artifacts {
    /// The published files, in the order of their keys.
    pub pages: Vec<Page>,
    /// The API, packed as Lambda's archive with the `bootstrap`.
    pub api: Program,
    /// The signaling server, compressed.
    pub signal: Program,
    /// The relay, compressed.
    pub relay: Program,
    /// The routes of the API.
    pub routes: Vec<Route>,
}

/// Sizes alone: the content is megabytes.
impl std::fmt::Debug for Artifacts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (pages, routes) = (self.pages.len(), self.routes.len());
        formatter.debug_struct("Artifacts").field("pages", &pages).field("routes", &routes).finish_non_exhaustive()
    }
}

/// A published file.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Its key in the bucket, and its path without the first slash: `js/api.js`.
    pub key: &'static str,
    /// Its content.
    pub content: &'static [u8],
}

/// A program for a server, and the package that is uploaded of it.
#[derive(Clone, Copy, Default)]
pub struct Program {
    /// The name, such as `api`.
    pub name: &'static str,
    /// The ELF file.
    pub elf: &'static [u8],
    /// SHA-256 of the ELF file, in hexadecimal.
    pub elf_sha256: &'static str,
    /// What is uploaded: an archive or a compressed file.
    pub package: &'static [u8],
    /// MD5 of the package in hexadecimal, as S3 gives it back.
    pub package_md5: &'static str,
    /// SHA-256 of the package in base64, as Lambda gives it back as `CodeSha256`.
    pub package_sha256: &'static str,
}

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
pub fn check_program(program: &Program) -> Result<(), ResourceError> {
    let reason = match needs(program.elf) {
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
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;

    fn program(name: &'static str, elf: &'static [u8]) -> Program {
        Program { name, elf, ..Program::default() }
    }

    /// This test itself is an ELF file for this machine.
    fn this_test() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn an_elf_file_has_a_known_need() {
        let needed = needs(&this_test()).unwrap();
        assert!(needed.is_none_or(|needed| needed >= Version(2, 2)), "{needed:?}");
    }

    #[test]
    fn a_program_that_does_not_run_there_is_refused_with_the_fix() {
        let error = check_program(&program("api", b"#!/bin/sh")).unwrap_err();
        assert!(error.to_string().contains("`api`"), "{error}");
        assert!(error.hint.unwrap().contains("cargo xtask dist"));
        let mut other = this_test();
        // The machine's number stands at byte 18: 183 is aarch64.
        other.splice(18..20, [183, 0]);
        let error = check_program(&program("signal", Box::leak(other.into_boxed_slice()))).unwrap_err();
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
}
