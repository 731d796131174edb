//! The errors of `local`, each with a hint on how to fix it.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use peersync_engine::{Address, ResourceError};

/// Why `local` could not start, or had to stop.
#[derive(Debug, Diagnostic, Error)]
pub enum LocalError {
    /// Another program listens on the port.
    #[error("port {port} is already in use")]
    #[diagnostic(help("choose another with `--port {}`, or a free one with `--port 0`", next_port(*.port)))]
    PortTaken {
        /// The port that was asked for.
        port: u16,
    },
    /// Listening on the address failed for another reason.
    #[error("cannot listen on {address}")]
    #[diagnostic(help(
        "`--host 127.0.0.1` serves this computer only, `--host 0.0.0.0` its whole network; ports below 1024 may \
         need elevated privileges"
    ))]
    Listen {
        /// Host and port.
        address: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Another `local` uses the data folder.
    #[error("the data folder {} is in use{}", folder.display(), by(holder))]
    #[diagnostic(help("stop the other `local`, or start this one with `--ephemeral` or another `--data` folder"))]
    FolderInUse {
        /// The folder.
        folder: PathBuf,
        /// What the other one wrote about itself: its process and address. Empty if it wrote nothing.
        holder: String,
    },
    /// The data folder cannot be created or written.
    #[error("cannot use the data folder {}", folder.display())]
    #[diagnostic(help("make it writable, or choose another with `--data`, or start with `--ephemeral`"))]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// SQLite cannot read the file.
    #[error("the database {} is damaged: {reason}", file.display())]
    #[diagnostic(help(
        "the data is lost unless you have a copy: move the file away (`mv {0} {0}.damaged`) and start again, or start \
         with `--ephemeral`",
        file.display()
    ))]
    Damaged {
        /// The file.
        file: PathBuf,
        /// SQLite's reason.
        reason: String,
    },
    /// The folder of `--assets` does not contain the pages.
    #[error("the pages folder {} has no index.html", folder.display())]
    #[diagnostic(help("`--assets` takes the folder with index.html; omit it to serve the embedded pages"))]
    Assets {
        /// The folder.
        folder: PathBuf,
    },
    /// The certificate could not be created or read.
    #[error("the local certificate cannot be used: {reason}")]
    #[diagnostic(help("remove {} and start again: a new certificate is created", folder.display()))]
    Certificate {
        /// The folder with certificate and key.
        folder: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The AWS emulator does not answer.
    #[error("the endpoint {url} does not answer: {reason}")]
    #[diagnostic(help("start it, or correct `--endpoint-url` or AWS_ENDPOINT_URL, or run without it: `--embedded`"))]
    EndpointAway {
        /// The endpoint.
        url: String,
        /// The result in place of an answer.
        reason: String,
    },
    /// LocalStack has no licence for the request.
    #[error("LocalStack at {url} has no valid licence")]
    #[diagnostic(help(
        "set LOCALSTACK_AUTH_TOKEN for LocalStack, or use an emulator that needs no licence, or run without one: \
         `--embedded`"
    ))]
    Licence {
        /// The endpoint.
        url: String,
    },
    /// A resource of the stack could not be read or created in the emulator.
    #[error("{address}: {reason}")]
    #[diagnostic(help("{help}"))]
    Resource {
        /// The resource.
        address: String,
        /// What went wrong, with the cause.
        reason: String,
        /// How to fix it.
        help: String,
    },
    /// A part of `local` did not start.
    #[error("{part} did not start")]
    Part {
        /// The part.
        part: &'static str,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl LocalError {
    /// Converts an error of a resource that the engine could not read or create.
    pub fn resource(address: &Address, error: &ResourceError) -> Self {
        let causes = error.causes().join(": ");
        let reason = if causes.is_empty() { error.to_string() } else { format!("{error}: {causes}") };
        let help = error.hint.clone().unwrap_or_else(|| "the lines above show what was tried".to_owned());
        Self::Resource { address: address.to_string(), reason, help }
    }

    /// Creates an error for a part that did not start.
    pub fn part(part: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Part { part, source: source.into() }
    }
}

fn next_port(port: u16) -> u16 {
    port.checked_add(1).unwrap_or(8080)
}

fn by(holder: &str) -> String {
    if holder.is_empty() { String::new() } else { format!(" by {holder}") }
}
