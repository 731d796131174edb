//! The errors of developer commands.

use std::io;
use std::path::PathBuf;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program could not be started.
    #[error("cannot run {program}: {source}")]
    Start {
        /// The name of the program.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// A program ended with a failure status.
    #[error("{what} failed")]
    Failed {
        /// The command line.
        what: String,
    },
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Something that the command needs is missing or wrong; the text says how to fix it.
    #[error("{0}")]
    Missing(String),
}

/// Adds the path of a file to an error of the standard library.
pub trait At<T> {
    /// Adds the path.
    ///
    /// # Errors
    /// [`Error::File`] if the operation failed.
    fn at(self, path: impl Into<PathBuf>) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: impl Into<PathBuf>) -> Result<T, Error> {
        self.map_err(|source| Error::File { path: path.into(), source })
    }
}
