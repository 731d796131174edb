//! Stopping on Ctrl-C and SIGTERM.

use super::DeployError;
use peersync_engine::Interrupt;

/// Runs what changes nothing, until the user asks to stop.
///
/// # Errors
/// [`DeployError::Stopped`].
pub async fn until_stopped<F: Future>(interrupt: &Interrupt, future: F) -> Result<F::Output, DeployError> {
    tokio::select! {
        biased;
        () = interrupt.stop.cancelled() => Err(DeployError::Stopped),
        output = future => Ok(output),
    }
}

/// Until the user asks to stop: Ctrl-C or SIGTERM.
#[cfg(unix)]
pub async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Until the user asks to stop: Ctrl-C.
#[cfg(not(unix))]
pub async fn asked_to_stop() {
    // Where the handler cannot be installed, the system's own handling stays.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
