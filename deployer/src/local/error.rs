//! What can go wrong with `local`, each with its mend.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use peersync_engine::{Address, ResourceError};

/// Why `local` could not start, or had to end.
#[derive(Debug, Diagnostic, Error)]
pub enum LocalError {
    /// Another program listens there.
    #[error("port {port} is taken")]
    #[diagnostic(help("choose another with `--port {}`, or a free one with `--port 0`", next_port(*.port)))]
    PortTaken {
        /// The port that was asked for.
        port: u16,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {address}")]
    #[diagnostic(help(
        "`--host 127.0.0.1` is for this computer alone, `--host 0.0.0.0` for its network; ports below 1024 may need \
         more rights"
    ))]
    Listen {
        /// Host and port.
        address: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Another `local` works on the data.
    #[error("the data folder {} is in use{}", folder.display(), by(holder))]
    #[diagnostic(help("end the other one, or start this one with `--ephemeral` or another `--data` folder"))]
    FolderInUse {
        /// The folder.
        folder: PathBuf,
        /// What the other one wrote about itself: process and address; empty where it wrote nothing.
        holder: String,
    },
    /// The folder cannot be made or written.
    #[error("cannot use the data folder {}", folder.display())]
    #[diagnostic(help("make it writable, or choose another with `--data`, or start with `--ephemeral`"))]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// SQLite does not understand the file.
    #[error("the database {} is damaged: {reason}", file.display())]
    #[diagnostic(help(
        "its data is lost unless you have a copy: move the file away (`mv {0} {0}.damaged`) and start again, or start \
         with `--ephemeral`",
        file.display()
    ))]
    Damaged {
        /// The file.
        file: PathBuf,
        /// SQLite's reason.
        reason: String,
    },
    /// The folder of `--assets` is not there.
    #[error("the folder of pages {} has no index.html", folder.display())]
    #[diagnostic(help("`--assets` takes the folder with index.html; leave it out for the pages built in"))]
    Assets {
        /// The folder.
        folder: PathBuf,
    },
    /// A certificate could not be made or read.
    #[error("the local certificate cannot be used: {reason}")]
    #[diagnostic(help("remove {} and start again: a new one is made", folder.display()))]
    Certificate {
        /// The folder with certificate and key.
        folder: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The endpoint that stands for AWS does not answer.
    #[error("the endpoint {url} does not answer: {reason}")]
    #[diagnostic(help("start it, or correct `--endpoint-url` or AWS_ENDPOINT_URL, or do without it: `--embedded`"))]
    EndpointAway {
        /// The endpoint.
        url: String,
        /// What came in place of an answer.
        reason: String,
    },
    /// LocalStack has no licence for what it was asked.
    #[error("LocalStack at {url} has no valid licence")]
    #[diagnostic(help(
        "set LOCALSTACK_AUTH_TOKEN where LocalStack is started, or use an emulator that needs none, or do without: \
         `--embedded`"
    ))]
    Licence {
        /// The endpoint.
        url: String,
    },
    /// A resource of the stack cannot be read or made at the endpoint.
    #[error("{address}: {reason}")]
    #[diagnostic(help("{help}"))]
    Resource {
        /// Which resource.
        address: String,
        /// What went wrong, with the cause.
        reason: String,
        /// The mend.
        help: String,
    },
    /// One of the parts did not start.
    #[error("{part} did not start")]
    Part {
        /// Which part.
        part: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl LocalError {
    /// A resource that the engine could not read or make.
    pub fn resource(address: &Address, error: &ResourceError) -> Self {
        let causes = error.causes().join(": ");
        let reason = if causes.is_empty() { error.to_string() } else { format!("{error}: {causes}") };
        let help = error.hint.clone().unwrap_or_else(|| "the lines before this one say what was tried".to_owned());
        Self::Resource { address: address.to_string(), reason, help }
    }

    /// A part that did not start.
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
