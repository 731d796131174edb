//! The log of all parts in one stream on stderr: time, level, part and message. `RUST_LOG` selects what is shown.

use tracing_subscriber::EnvFilter;

use crate::report::Style;

/// The default for `RUST_LOG`: everything of ours, but only problems of the libraries. The database warns of every
/// request for something that does not exist, which is how the engine checks.
const DEFAULT: &str = "warn,dynoxide=error,edge=info,mail=info,database=info,signal=info,api=info,peersync=info";

/// Starts the log. A second call changes nothing.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(Style::of_stderr().is_colored())
        .with_env_filter(filter);
    let _ = log.compact().try_init();
}
