//! Ctrl-C and SIGTERM: the first starts nothing new, the second gives up what is in flight.

use std::sync::Arc;

use peersync_engine::Interrupt;
use peersync_operations::asked_to_stop;

use crate::report::Report;

/// Listens from now on until the program ends.
pub fn listen(report: &Arc<Report>) -> Interrupt {
    let interrupt = Interrupt::default();
    let (signals, report) = (interrupt.clone(), report.clone());
    tokio::spawn(async move {
        asked_to_stop().await;
        signals.stop.cancel();
        report.note("Stopping: what is in flight is finished, nothing new begins. Once more gives up at once.");
        asked_to_stop().await;
        signals.abort.cancel();
    });
    interrupt
}
