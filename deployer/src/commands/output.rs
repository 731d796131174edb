//! Writing to stdout and stderr. If the reader has gone away (`peersync-deploy graph | head`), that is not an error.

use std::io::{self, Write as _};

use serde::Serialize;

/// Writes a command's data to stdout, followed by a newline.
pub fn data(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{}", text.trim_end_matches('\n'));
}

/// Writes one JSON event to stdout, as a line.
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
