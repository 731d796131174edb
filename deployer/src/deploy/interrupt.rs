//! Handles Ctrl-C and SIGTERM: after the first nothing new starts, the second abandons the steps in flight.

use std::sync::Arc;

use super::DeployError;
use crate::engine::Interrupt;
use crate::report::Report;

/// Listens from now on until the program exits.
pub fn listen(report: &Arc<Report>) -> Interrupt {
    let interrupt = Interrupt::default();
    let (signals, report) = (interrupt.clone(), report.clone());
    tokio::spawn(async move {
        asked_to_stop().await;
        signals.stop.cancel();
        report.note("Stopping: steps in flight finish, nothing new starts. Press Ctrl-C again to abandon them.");
        asked_to_stop().await;
        signals.abort.cancel();
    });
    interrupt
}

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
