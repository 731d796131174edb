//! What is running: version, and a digest of the program's own file. The deployer has worked it out already and may
//! tell it; otherwise it is worked out once.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::OnceLock;

use ring::digest;

/// SHA-256 of the running program in hex; `unknown` where its file cannot be read.
pub(crate) fn build() -> &'static str {
    static BUILD: OnceLock<String> = OnceLock::new();
    BUILD.get_or_init(|| told_or_own(std::env::var("PEERSYNC_BUILD").ok()))
}

fn told_or_own(told: Option<String>) -> String {
    let told = told.filter(|told| !told.is_empty());
    told.unwrap_or_else(|| own_digest().unwrap_or_else(|_| "unknown".to_owned()))
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

#[cfg(test)]
mod tests {
    use super::told_or_own;

    #[test]
    fn what_the_deployer_has_worked_out_is_not_worked_out_again() {
        assert_eq!(told_or_own(Some("told".to_owned())), "told");
        let own = told_or_own(None);
        assert!(own.len() == 64 && own.bytes().all(|byte| byte.is_ascii_hexdigit()), "{own}");
        assert_eq!(told_or_own(Some(String::new())), own);
    }
}
