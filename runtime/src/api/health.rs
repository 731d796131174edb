//! What is running: version, and a digest of the program's own file. The deployer has worked it out already and may
//! tell it; otherwise it is worked out once.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::OnceLock;

use ring::digest;

/// SHA-256 of the running program in hex; `unknown` where its file cannot be read.
pub(super) fn build() -> &'static str {
    static BUILD: OnceLock<String> = OnceLock::new();
    BUILD.get_or_init(|| {
        let told = std::env::var("PEERSYNC_BUILD").ok().filter(|told| !told.is_empty());
        told.unwrap_or_else(|| own_digest().unwrap_or_else(|_| "unknown".to_owned()))
    })
}

/// Read piece by piece: the file may be larger than the memory we want to use.
fn own_digest() -> io::Result<String> {
    let mut file = File::open(std::env::current_exe()?)?;
    let mut context = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0_u8; 64 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        match buffer.get(..read) {
            Some(piece) if !piece.is_empty() => context.update(piece),
            _ => return Ok(hex::encode(context.finish())),
        }
    }
}
