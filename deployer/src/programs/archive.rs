//! Packs the programs: as the archive that Lambda expects, or compressed. The same program always gives the same bytes,
//! because date and permissions are fixed.
//!
//! The build script uses it; it is part of the crate only for its tests.

use std::io::{Cursor, Write as _};

use flate2::{Compression, GzBuilder};
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

/// Packs a program as Lambda's `bootstrap`.
///
/// # Errors
/// Fails if the archive cannot be written, which only a lack of memory could cause.
pub fn pack(program: &[u8]) -> ZipResult<Vec<u8>> {
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
pub fn compress(program: &[u8]) -> std::io::Result<Vec<u8>> {
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
