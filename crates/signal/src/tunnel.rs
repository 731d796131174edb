//! The token of the Cloudflare Tunnel, passed on to `cloudflared` on the same host: a file in the format of systemd's
//! `EnvironmentFile`. A path unit of the host restarts `cloudflared` when the file changes, and nothing else.

use std::io;
use std::path::Path;

use peersync_server::secrets::Secret;
use tokio::fs::{self, OpenOptions};
use tokio::io::AsyncWriteExt as _;

/// Writes the file if the token differs from the one in it. Without a token it holds an empty one, which means a quick
/// tunnel.
///
/// # Errors
/// The file cannot be written, or the token cannot be part of such a file.
pub async fn pass_on(file: &Path, token: Option<&Secret>) -> io::Result<()> {
    let token = token.map_or("", Secret::reveal);
    // Cloudflare's tokens are base64. Quotes and line breaks would end the value.
    if token.contains(|c: char| !c.is_ascii_graphic() || matches!(c, '"' | '\\')) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it contains characters that no token has"));
    }
    let line = format!("TUNNEL_TOKEN=\"{token}\"\n");
    if fs::read_to_string(file).await.is_ok_and(|written| written == line) {
        return Ok(());
    }
    // Renamed into place, so that no reader finds half a token.
    let new = file.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut opened = options.open(&new).await?;
    opened.write_all(line.as_bytes()).await?;
    opened.flush().await?;
    fs::rename(&new, file).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    #[tokio::test]
    async fn file_is_private_and_written_only_when_the_token_changes() {
        let folder = std::env::temp_dir().join(format!("peersync-tunnel-{}", std::process::id()));
        fs::create_dir_all(&folder).await.unwrap();
        let file = folder.join("tunnel.env");
        pass_on(&file, None).await.unwrap();
        assert_eq!(fs::read_to_string(&file).await.unwrap(), "TUNNEL_TOKEN=\"\"\n");
        let token = Secret::new("eyJhIjoiMSJ9");
        pass_on(&file, Some(&token)).await.unwrap();
        assert_eq!(fs::read_to_string(&file).await.unwrap(), "TUNNEL_TOKEN=\"eyJhIjoiMSJ9\"\n");
        let written = fs::metadata(&file).await.unwrap();
        assert_eq!(written.permissions().mode() & 0o777, 0o600);
        pass_on(&file, Some(&token)).await.unwrap();
        assert_eq!(fs::metadata(&file).await.unwrap().ino(), written.ino(), "the same token writes nothing");
        for wrong in ["a\"b", "a\nLD_PRELOAD=x", "a\\", "a b"] {
            let error = pass_on(&file, Some(&Secret::new(wrong))).await.unwrap_err();
            assert!(!error.to_string().contains(wrong), "{error}");
        }
        assert_eq!(fs::metadata(&file).await.unwrap().ino(), written.ino());
        fs::remove_dir_all(&folder).await.unwrap();
    }
}
