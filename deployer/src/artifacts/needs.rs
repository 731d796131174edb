//! What a program needs to run, found in its ELF file: the processors, and the C library.
//!
//! The build script uses it, so that a release need not carry the files themselves beside what it uploads of them.

use object::elf::FileHeader64;
use object::read::elf::{ElfFile64, VersionIndex};
use object::{Endianness, Object as _};

/// Returns the needs as `peersync_resources::check_program` reads them: `api: ELF machine 062, glibc 2.34`, with
/// `no glibc` if it is linked statically; of what is no program, the reason.
pub fn of(name: &str, bytes: &[u8]) -> String {
    match machine_and_library(bytes) {
        Ok((machine, Some((major, minor)))) => format!("{name}: ELF machine {machine:03}, glibc {major}.{minor}"),
        Ok((machine, None)) => format!("{name}: ELF machine {machine:03}, no glibc"),
        Err(reason) => format!("{name}: {reason}"),
    }
}

/// Returns the number of the architecture, and the newest version of the C library among the imports.
fn machine_and_library(bytes: &[u8]) -> Result<(u16, Option<(u32, u32)>), String> {
    let file =
        ElfFile64::<Endianness>::parse(bytes).map_err(|error| format!("it is not a 64-bit ELF file: {error}"))?;
    let header: &FileHeader64<Endianness> = file.elf_header();
    let machine = header.e_machine.get(file.endian());
    let imports = file.imports().map_err(|error| format!("failed to read its imports: {error}"))?;
    if imports.is_empty() {
        return Ok((machine, None));
    }
    let versions = file
        .elf_section_table()
        .versions(file.endian(), bytes)
        .map_err(|error| format!("failed to read its symbol versions: {error}"))?;
    let Some(versions) = versions else { return Ok((machine, None)) };
    let newest = (0..=u16::MAX)
        .map_while(|index| versions.version(VersionIndex(index)).ok())
        .flatten()
        .filter_map(|version| glibc_version(version.name()))
        .max();
    Ok((machine, newest))
}

fn glibc_version(name: &[u8]) -> Option<(u32, u32)> {
    let text = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?;
    let mut numbers = text.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use peersync_config::Architecture;
    use peersync_resources::{Program, check_program};

    use super::{glibc_version, of};

    /// Returns why `up` would refuse an ELF file, if it would.
    fn obstacle(elf: &[u8], architecture: Architecture) -> Option<Vec<String>> {
        let program = Program { name: "api", needs: of("api", elf).leak(), ..Program::default() };
        check_program(&program, architecture).err().map(|error| error.causes().to_vec())
    }

    #[test]
    fn needs_of_an_elf_file_are_those_that_are_checked() {
        // This test itself is an ELF file for this machine.
        let mut own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        // The machine's number is at byte 18: 62 is x86_64, 183 arm64.
        for (machine, its, other) in
            [(62, Architecture::X86_64, Architecture::Arm64), (183, Architecture::Arm64, Architecture::X86_64)]
        {
            own.splice(18..20, [machine, 0]);
            assert!(
                of("api", &own).starts_with(&format!("api: ELF machine {machine:03}, glibc 2.")),
                "{}",
                of("api", &own)
            );
            assert_eq!(obstacle(&own, other).unwrap(), [format!("it is not for {other}")]);
            // The C library of the computer that runs the tests may be newer than Amazon Linux's.
            assert!(obstacle(&own, its).is_none_or(|causes| causes[0].contains("glibc")), "{}", of("api", &own));
        }
        let causes = obstacle(b"#!/bin/sh", Architecture::X86_64).unwrap();
        assert!(causes[0].starts_with("it is not a 64-bit ELF file"), "{causes:?}");
    }

    #[test]
    fn versions_are_read_as_numbers() {
        assert_eq!(glibc_version(b"GLIBC_2.34"), Some((2, 34)));
        assert_eq!(glibc_version(b"GLIBC_2.2.5"), Some((2, 2)));
        assert!(glibc_version(b"GLIBC_2.4") < glibc_version(b"GLIBC_2.34"));
        assert_eq!(glibc_version(b"GCC_3.0"), None);
    }
}
