//! The digest of the running program. The deployer knows it and passes it in `PEERSYNC_BUILD`; otherwise it is computed
//! once from the program's own file.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::OnceLock;

use ring::digest;

/// Returns the SHA-256 of the running program in hexadecimal, or `unknown` if its file cannot be read.
pub(crate) fn build() -> &'static str {
    static BUILD: OnceLock<String> = OnceLock::new();
    BUILD.get_or_init(|| given_or_own(std::env::var("PEERSYNC_BUILD").ok()))
}

fn given_or_own(given: Option<String>) -> String {
    let given = given.filter(|given| !given.is_empty());
    given.unwrap_or_else(|| own_digest().unwrap_or_else(|_| "unknown".to_owned()))
}

/// Reads the file piece by piece: it may be larger than the memory that a function should use.
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
    use super::given_or_own;

    #[test]
    fn digest_from_the_deployer_is_preferred() {
        assert_eq!(given_or_own(Some("given".to_owned())), "given");
        let own = given_or_own(None);
        assert!(own.len() == 64 && own.bytes().all(|byte| byte.is_ascii_hexdigit()), "{own}");
        assert_eq!(given_or_own(Some(String::new())), own);
    }
}
