//! The programs of the reference relays. Small ones are installed below the target folder when they are first used.

use std::path::PathBuf;
use std::process::{Command, Stdio};

const FASTAPI: [&str; 2] = ["fastapi==0.165.0", "uvicorn[standard]==0.54.0"];
const PEER: &str = "peer@1.0.2";
const MATCHBOX: &str = "matchbox_server@0.15.0";

/// The locations of the reference relays.
#[derive(Clone, Debug)]
pub struct References {
    /// The folder in which they are installed.
    pub folder: PathBuf,
    /// The path of `matchbox_server`, if it is not in that folder.
    pub matchbox: Option<PathBuf>,
}

impl References {
    /// Returns the locations: a folder beside this program, and the path that the command line names.
    pub fn new(matchbox: Option<PathBuf>) -> Self {
        let program = std::env::current_exe().expect("a running program has a path");
        let folder = program.parent().expect("a program is in a folder").join("bench-signal-references");
        Self { folder, matchbox }
    }

    /// Returns a Python with FastAPI and uvicorn, and installs them first if they are missing.
    ///
    /// # Errors
    /// If they cannot be installed.
    pub fn fastapi(&self) -> Result<PathBuf, String> {
        let environment = self.folder.join("python");
        let python = environment.join("bin/python");
        if !environment.join("bin/uvicorn").exists() {
            let base = std::env::var("PEERSYNC_PYTHON").unwrap_or_else(|_| "python3".to_owned());
            install(Command::new(base).args(["-m", "venv"]).arg(environment))?;
            install(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(FASTAPI))?;
        }
        Ok(python)
    }

    /// Returns the program of npm's `peer`, and installs it first if it is missing.
    ///
    /// # Errors
    /// If it cannot be installed.
    pub fn peer_server(&self) -> Result<PathBuf, String> {
        let prefix = self.folder.join("node");
        let program = prefix.join("node_modules/peer/dist/bin/peerjs.js");
        if !program.exists() {
            std::fs::create_dir_all(&prefix).map_err(|error| error.to_string())?;
            install(Command::new("npm").args(["install", "--silent", "--no-audit", "--prefix"]).arg(prefix).arg(PEER))?;
        }
        Ok(program)
    }

    /// Returns `matchbox_server` if it was built before. The build takes minutes, so it is never started implicitly.
    ///
    /// # Errors
    /// If it does not exist; the text says how to build it.
    pub fn matchbox(&self) -> Result<PathBuf, String> {
        let root = self.folder.join("cargo");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = std::env::split_paths(&path).map(|folder| folder.join("matchbox_server"));
        let candidates = self.matchbox.clone().into_iter().chain([root.join("bin/matchbox_server")]).chain(on_path);
        candidates.into_iter().find(|program| program.is_file()).ok_or_else(|| {
            format!(
                "it is not installed; `cargo install --locked --root {} {MATCHBOX}` builds it in minutes",
                root.display()
            )
        })
    }
}

fn install(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    eprintln!("installing with {program} …");
    match command.stdout(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program}: {status}")),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_matchbox_is_reported_with_its_build_command() {
        let folder = tempfile::tempdir().expect("a temporary folder can be created");
        let program = folder.path().join("anywhere");
        let references = References { folder: folder.path().to_owned(), matchbox: Some(program.clone()) };
        let error = references.matchbox().expect_err("it is not there");
        assert!(error.contains("cargo install --locked --root") && error.contains(MATCHBOX), "{error}");
        std::fs::write(&program, "").expect("the folder can be written");
        assert_eq!(references.matchbox(), Ok(program));
    }
}
