//! Asking before anything is changed or deleted.

use std::io::{IsTerminal as _, Write as _};

use super::run::Run;
use super::{CommandError, Exit};
use peersync_operations::until_stopped;

/// Asks the user at the terminal; `consequence` is what happens after a yes, `delete 45 resources of peersync-dev`.
///
/// # Errors
/// A no; and where there is no terminal to ask at, that `-y` is needed.
pub(super) async fn confirm(run: &Run, consequence: &str) -> Result<(), CommandError> {
    let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if !terminal || run.report.is_json() {
        return Err(CommandError::new("a confirmation is needed, and there is no terminal to ask at")
            .hint(format!("this would {consequence}; add `-y` to agree beforehand"))
            .exits(Exit::Usage));
    }
    run.report.clear();
    let _ = write!(std::io::stderr().lock(), "\nThis will {consequence}. Go on? [y/N] ");
    // A thread of its own: a read that never ends must not keep the program from ending.
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut answer = String::new();
        let _ = std::io::stdin().read_line(&mut answer);
        let _ = sender.send(answer);
    });
    let answer = until_stopped(&run.interrupt, receiver).await?.unwrap_or_default();
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(CommandError::new("not confirmed").hint("nothing was changed"))
}
