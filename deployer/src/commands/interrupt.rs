//! Ctrl-C and SIGTERM: after the first nothing new starts, the second abandons the steps in flight.

use std::sync::Arc;

use peersync_engine::Interrupt;
use peersync_operations::asked_to_stop;

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
