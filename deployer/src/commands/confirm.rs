//! The confirmation before anything is changed or deleted.

use std::io::{IsTerminal as _, Write as _};

use super::run::Run;
use super::{CommandError, Exit};
use peersync_operations::until_stopped;

/// Returns whether a person can read the question and answer it.
pub(super) fn can_ask(run: &Run) -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal() && !run.report.is_json()
}

/// Asks the user at the terminal. `consequence` says what a yes leads to, such as
/// `delete 45 resources of peersync-dev`.
///
/// # Errors
/// Fails if the answer is no, or if `-y` is needed because there is no terminal.
pub(super) async fn confirm(run: &Run, consequence: &str) -> Result<(), CommandError> {
    if !can_ask(run) {
        return Err(CommandError::new("cannot ask for confirmation: no terminal, or `--output json`")
            .hint(format!("this would {consequence}; add `-y` to confirm in advance"))
            .exits(Exit::Usage));
    }
    run.report.clear();
    let _ = write!(std::io::stderr().lock(), "\nThis will {consequence}. Continue? [y/N] ");
    // The read has its own thread: if it never returns, the program can still exit.
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
