//! The data folder `.peersync/`: one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::LocalError;

/// The locked folder. The lock is the system's: it ends with the process, however that ends.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// The open file that holds the lock; its text says who we are.
    owner: File,
}

impl DataFolder {
    /// Makes the folder, readable by its owner alone, and locks it.
    ///
    /// # Errors
    /// Another process has it; it cannot be written.
    pub fn open(path: &Path) -> Result<Self, LocalError> {
        let failed = |source| LocalError::Folder { folder: path.to_owned(), source };
        create(path).map_err(failed)?;
        let mut options = OpenOptions::new();
        let mut owner =
            options.create(true).read(true).write(true).truncate(false).open(path.join("owner")).map_err(failed)?;
        match owner.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message: what cannot be read is left out.
                let _ = owner.read_to_string(&mut holder);
                return Err(LocalError::FolderInUse { folder: path.to_owned(), holder: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut folder = Self { path: path.to_owned(), owner };
        folder.sign("").map_err(failed)?;
        Ok(folder)
    }

    /// Writes down who has the folder, for the message to the next one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn sign(&mut self, url: &str) -> std::io::Result<()> {
        self.owner.set_len(0)?;
        self.owner.rewind()?;
        let process = std::process::id();
        if url.is_empty() {
            write!(self.owner, "process {process}")
        } else {
            write!(self.owner, "process {process} at {url}")
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files that `local` makes in it: the database with its companions, the certificate, the lock.
    pub fn files(&self) -> Vec<PathBuf> {
        const NAMES: [&str; 7] = [
            "dynamodb.sqlite",
            "dynamodb.sqlite-wal",
            "dynamodb.sqlite-shm",
            "certificate.pem",
            "certificate-key.pem",
            "certificate-names",
            "owner",
        ];
        NAMES.iter().map(|name| self.path.join(name)).collect()
    }

    /// The database's file.
    pub fn database_file(&self) -> PathBuf {
        self.path.join("dynamodb.sqlite")
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        // The text is only a hint; the lock itself goes with the file.
        let _ = self.owner.set_len(0);
    }
}

#[cfg(unix)]
fn create(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create(path: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;

    #[test]
    fn the_second_is_told_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let mut first = DataFolder::open(&path).unwrap();
        first.sign("http://localhost:8080").unwrap();
        let error = DataFolder::open(&path).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("is in use by process") && text.contains("http://localhost:8080"), "{text}");
        drop(first);
        assert!(DataFolder::open(&path).is_ok(), "the lock ends with its holder");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = DataFolder::open(&file.join("data")).unwrap_err();
        assert!(error.to_string().contains("cannot use the data folder"), "{error}");
    }
}
