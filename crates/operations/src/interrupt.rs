//! Stopping on Ctrl-C and SIGTERM.

use super::DeployError;
use peersync_engine::Interrupt;

/// Runs a future that changes nothing, until the user asks to stop.
///
/// # Errors
/// Returns [`DeployError::Stopped`] if the user asks to stop first.
pub async fn until_stopped<F: Future>(interrupt: &Interrupt, future: F) -> Result<F::Output, DeployError> {
    tokio::select! {
        biased;
        () = interrupt.stop.cancelled() => Err(DeployError::Stopped),
        output = future => Ok(output),
    }
}

/// Waits until the user asks to stop with Ctrl-C or SIGTERM.
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

/// Waits until the user asks to stop with Ctrl-C.
#[cfg(not(unix))]
pub async fn asked_to_stop() {
    // If the handler cannot be installed, the system's own handling remains.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
