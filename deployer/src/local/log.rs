//! The log of all parts in one stream on stderr: time, level, part, message. `RUST_LOG` chooses what is shown.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// What is shown where `RUST_LOG` says nothing: everything of ours, and only troubles of the libraries. The
/// database warns of every question for what is not there, which is how the engine looks.
const DEFAULT: &str = "warn,dynoxide=error,edge=info,mail=info,database=info,signal=info,api=info,peersync=info";

/// Starts the log. A second call changes nothing.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(colour).with_env_filter(filter);
    let _ = log.compact().try_init();
}
