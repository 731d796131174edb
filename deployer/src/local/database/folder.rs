//! The data folder `.peersync/`, which one process at a time may use.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::LocalError;

/// The locked folder. The lock is the system's: it ends with the process, however that ends.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// The open file that holds the lock; its text names the process that has it.
    owner: File,
}

impl DataFolder {
    /// Creates the folder, readable by its owner only, and locks it.
    ///
    /// # Errors
    /// Fails if another process has locked it or it cannot be written.
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
                // The text is only for the message, so a read error is ignored.
                let _ = owner.read_to_string(&mut holder);
                return Err(LocalError::FolderInUse { folder: path.to_owned(), holder: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut folder = Self { path: path.to_owned(), owner };
        folder.sign("").map_err(failed)?;
        Ok(folder)
    }

    /// Writes which process uses the folder, for the error message of the next one.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
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

    /// Returns the folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the files that `local` creates in it: the database with its companions, the certificate and the lock.
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

    /// Returns the path of the database file.
    pub fn database_file(&self) -> PathBuf {
        self.path.join("dynamodb.sqlite")
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        // The text is only a hint; the lock itself is released with the file.
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
    #![allow(clippy::unwrap_used, reason = "a panic here fails the test")]
    use super::*;

    #[test]
    fn error_names_the_process_that_uses_the_folder() {
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
    #[cfg(unix)]
    fn folder_is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let _data = DataFolder::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn error_names_the_folder_that_cannot_be_created() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = DataFolder::open(&file.join("data")).unwrap_err();
        assert!(error.to_string().contains("cannot use the data folder"), "{error}");
    }
}
