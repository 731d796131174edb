//! The environment of the programs that the tests start.

use std::env;

/// Returns the environment variables that a child inherits.
pub(crate) fn kept() -> impl Iterator<Item = (String, String)> {
    const KEPT: [&str; 6] = ["PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "PEERSYNC_WITHOUT_RULE"];
    env::vars().filter(|(name, _)| KEPT.contains(&name.as_str()))
}
