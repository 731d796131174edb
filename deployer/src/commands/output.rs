//! Writing to stdout and stderr. A reader who has gone away (`peersync-deploy graph | head`) is no error.

use std::io::{self, Write as _};

use serde::Serialize;

/// Writes a command's data to stdout, with a line end.
pub fn data(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{}", text.trim_end_matches('\n'));
}

/// Writes one JSON event as a line on stdout.
pub fn event(event: &impl Serialize) {
    if let Ok(line) = serde_json::to_string(event) {
        let mut stdout = io::stdout().lock();
        let _ = writeln!(stdout, "{line}");
        let _ = stdout.flush();
    }
}

/// Writes a line for people to stderr.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", text.trim_end_matches('\n'));
}
