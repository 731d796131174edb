//! Packs the programs: as the archive that Lambda expects, or compressed. The same program always gives the same bytes,
//! because date and permissions are fixed.
//!
//! The build script uses it; it is part of the crate only for its tests.

use std::io::{self, Cursor, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};
use md5::Md5;
use sha2::{Digest as _, Sha256};
use zip::result::ZipResult;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// The name under which `provided.al2023` looks for the program.
const BOOTSTRAP: &str = "bootstrap";
/// Everybody may read and run the program.
const PERMISSIONS: u32 = 0o755;
/// The compression level, of 9. A higher level takes three times as long and gains half a percent.
const LEVEL: i64 = 6;
/// The compression level for a program without an archive, of 9.
const GZIP_LEVEL: u32 = 6;

/// What is uploaded of a program.
pub struct Package {
    /// The bytes: an archive for the API, a compressed file for any other program.
    pub bytes: Vec<u8>,
    /// MD5 of the bytes in hexadecimal, as S3 gives it back.
    pub md5: String,
    /// SHA-256 of the bytes in base64, as Lambda gives it back as `CodeSha256`.
    pub sha256: String,
}

/// Packs the program of this name.
///
/// # Errors
/// The package cannot be written, which only a lack of memory could cause.
pub fn of(name: &str, elf: &[u8]) -> io::Result<Package> {
    let bytes = if name == "api" { pack(elf).map_err(io::Error::other)? } else { compress(elf)? };
    let (md5, sha256) = (hex::encode(Md5::digest(&bytes)), STANDARD.encode(Sha256::digest(&bytes)));
    Ok(Package { bytes, md5, sha256 })
}

/// Returns the SHA-256 of a program in hexadecimal.
pub fn hex_sha256(elf: &[u8]) -> String {
    hex::encode(Sha256::digest(elf))
}

/// Packs a program as Lambda's `bootstrap`.
///
/// # Errors
/// Fails if the archive cannot be written, which only a lack of memory could cause.
fn pack(program: &[u8]) -> ZipResult<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(DateTime::default())
        .unix_permissions(PERMISSIONS);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file(BOOTSTRAP, options)?;
    archive.write_all(program)?;
    Ok(archive.finish()?.into_inner())
}

/// Compresses a program for `gunzip`, without a name and a date.
///
/// # Errors
/// Fails if it cannot be written, which only a lack of memory could cause.
fn compress(program: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressed = GzBuilder::new().write(Vec::new(), Compression::new(GZIP_LEVEL));
    compressed.write_all(program)?;
    compressed.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic here fails the test")]
    use std::io::{Cursor, Read as _};

    use flate2::read::GzDecoder;

    use super::{compress, pack};

    #[test]
    fn compression_is_reproducible() {
        let program = b"\x7fELF and more".repeat(100);
        let compressed = compress(&program).unwrap();
        assert!(compressed.len() < program.len() / 10);
        assert_eq!(compressed, compress(&program).unwrap());
        let mut bytes = Vec::new();
        GzDecoder::new(compressed.as_slice()).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, program);
        // Bytes 4 to 7 are the date.
        assert_eq!(compressed.get(4..8), Some([0; 4].as_slice()));
    }

    #[test]
    fn archives_are_reproducible_and_executable() {
        let program = b"\x7fELF and more";
        let packed = pack(program).unwrap();
        assert_eq!(packed, pack(program).unwrap());
        let mut archive = zip::ZipArchive::new(Cursor::new(packed)).unwrap();
        assert_eq!(archive.len(), 1);
        let mut bootstrap = archive.by_name("bootstrap").unwrap();
        assert_eq!(bootstrap.unix_mode().map(|mode| mode & 0o777), Some(0o755));
        // The earliest date that an archive can have, not the day of the build.
        assert_eq!(bootstrap.last_modified().map(|date| (date.year(), date.month(), date.day())), Some((1980, 1, 1)));
        let mut bytes = Vec::new();
        bootstrap.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, program);
    }
}
