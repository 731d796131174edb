//! What is running: version, and a digest of the program's own file, worked out once.

use std::sync::OnceLock;

use ring::digest;

/// SHA-256 of the running program in hex; `unknown` where its file cannot be read.
pub(super) fn build() -> &'static str {
    static BUILD: OnceLock<String> = OnceLock::new();
    BUILD.get_or_init(|| {
        let file = std::env::current_exe().and_then(std::fs::read);
        file.map_or_else(|_| "unknown".to_owned(), |bytes| hex::encode(digest::digest(&digest::SHA256, &bytes)))
    })
}
