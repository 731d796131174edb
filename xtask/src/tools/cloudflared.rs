//! The cloudflared that hosts run: the release that their installation names, checked by its SHA-256 as they check it.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{At as _, Error};
use crate::process::run;
use crate::workspace::{on_path, root, target};

/// The installation of a host.
const INSTALLATION: &str = "crates/resources/src/kinds/signal_instance/host/install.sh";

/// Returns the path of cloudflared: what `CLOUDFLARED` names, the downloaded release, or the machine's own.
pub fn program() -> Option<PathBuf> {
    let named = env::var_os("CLOUDFLARED").map(PathBuf::from);
    let downloaded = Release::read().ok().map(|release| release.path()).filter(|path| path.is_file());
    named.or(downloaded).or_else(|| on_path("cloudflared"))
}

/// Downloads the release that hosts run, unless there is a cloudflared.
///
/// # Errors
/// If it cannot be downloaded, or is another file.
pub fn prepare() -> Result<(), Error> {
    if program().is_some() {
        return Ok(());
    }
    let release = Release::read()?;
    let Release { version, platform, .. } = &release;
    eprintln!("downloading cloudflared {version}");
    let url =
        format!("https://github.com/cloudflare/cloudflared/releases/download/{version}/cloudflared-linux-{platform}");
    release.download(&url).map_err(|_| {
        let what = format!("cloudflared {version} is not installed, and cannot be downloaded from {url}");
        Error::Missing(format!("{what}: install it, or set CLOUDFLARED to its path"))
    })
}

/// The release of cloudflared for this computer.
#[derive(Debug, PartialEq, Eq)]
struct Release {
    version: String,
    platform: String,
    sha256: String,
}

impl Release {
    fn read() -> Result<Self, Error> {
        let path = root().join(INSTALLATION);
        let text = fs::read_to_string(&path).at(&path)?;
        let platform = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        Self::find(&text, platform).ok_or_else(|| Error::Missing(format!("{INSTALLATION} names no cloudflared")))
    }

    /// Finds it in the text of the installation.
    fn find(text: &str, platform: &str) -> Option<Self> {
        let version = text.lines().find_map(|line| line.strip_prefix("cloudflared_version="))?;
        let start = format!("cloudflared={platform} cloudflared_sha256=");
        let digest = text.lines().find_map(|line| line.split_once(&start))?.1;
        let sha256 = digest.split_whitespace().next()?.to_owned();
        Some(Self { version: version.to_owned(), platform: platform.to_owned(), sha256 })
    }

    fn path(&self) -> PathBuf {
        target().join("tools").join(format!("cloudflared-{}", self.version))
    }

    fn download(&self, url: &str) -> Result<(), Error> {
        let path = self.path();
        let part = path.with_extension("part");
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).at(folder)?;
        }
        let mut curl = Command::new("curl");
        curl.args(["-fsSL", "--connect-timeout", "10", "--max-time", "120", "-o"]).arg(&part).arg(url);
        run(&mut curl)?;
        self.check(&part)?;
        fs::set_permissions(&part, fs::Permissions::from_mode(0o755)).at(&part)?;
        fs::rename(&part, &path).at(&path)
    }

    fn check(&self, file: &Path) -> Result<(), Error> {
        let output = Command::new("sha256sum").arg(file).output().at(file)?;
        let printed = String::from_utf8_lossy(&output.stdout);
        if printed.split_whitespace().next() == Some(&self.sha256) {
            return Ok(());
        }
        Err(Error::Missing(format!("{} has not the SHA-256 that {INSTALLATION} names", file.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_is_the_one_that_hosts_install() {
        let text = fs::read_to_string(root().join(INSTALLATION)).unwrap();
        let [amd, arm] = ["amd64", "arm64"].map(|platform| Release::find(&text, platform).unwrap());
        assert!(amd.version.starts_with("20"), "{amd:?}");
        assert_eq!((amd.sha256.len(), arm.sha256.len()), (64, 64));
        assert_ne!(amd.sha256, arm.sha256);
    }

    #[test]
    fn file_with_another_digest_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cloudflared");
        fs::write(&file, "hello\n").unwrap();
        let release =
            |sha256: &str| Release { version: "1".to_owned(), platform: "amd64".to_owned(), sha256: sha256.to_owned() };
        let hello = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        release(hello).check(&file).unwrap();
        release(&hello.replace('5', "6")).check(&file).unwrap_err();
    }
}
