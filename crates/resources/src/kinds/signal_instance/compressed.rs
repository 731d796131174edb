//! The user data in the form that EC2 keeps: compressed, because it may have 16 KB. cloud-init recognises gzip by itself.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};

/// The longest text that is read: EC2 keeps 16 KB, and nobody writes text that shrinks to less than a hundredth.
const LONGEST: u64 = 2 << 20;
/// How gzip begins (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Compresses user data. The same text always gives the same bytes.
pub(super) fn compressed(text: &str) -> Vec<u8> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    // Writing into memory does not fail.
    let written = encoder.write_all(text.as_bytes());
    written.and_then(|()| encoder.finish()).unwrap_or_else(|_| text.as_bytes().to_vec())
}

/// Returns user data as a call takes it.
pub(super) fn encoded(text: &str) -> String {
    STANDARD.encode(compressed(text))
}

/// Returns the text of user data that was read; `None` if it is none. Earlier versions have not compressed it.
pub(super) fn decoded(encoded: &str) -> Option<String> {
    let bytes = STANDARD.decode(encoded.trim()).ok()?;
    let mut text = Vec::new();
    if bytes.starts_with(&GZIP) {
        GzDecoder::new(bytes.as_slice()).take(LONGEST).read_to_end(&mut text).ok()?;
    } else {
        text = bytes;
    }
    Some(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data_is_read_back_whether_it_was_compressed_or_not() {
        let text = "#cloud-config\n{ \"runcmd\": [] }\n".repeat(100);
        let kept = encoded(&text);
        assert!(kept.len() < text.len() / 5, "{} bytes", kept.len());
        assert_eq!(kept, encoded(&text));
        assert_eq!(decoded(&kept).as_deref(), Some(text.as_str()));
        assert_eq!(decoded(&STANDARD.encode(&text)).as_deref(), Some(text.as_str()));
        assert_eq!(decoded(&STANDARD.encode([0x1f, 0x8b, 8])), None);
        assert_eq!(decoded("?"), None);
    }
}
