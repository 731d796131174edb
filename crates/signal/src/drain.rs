//! Going down without a thundering herd: everybody is told when to come back, then the goodbyes are spread.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tracing::info;

use crate::outbox::EndRequest;
use crate::server::Server;

/// How finely the goodbyes are spread.
const STEP: Duration = Duration::from_millis(20);

/// How a drain went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Clients that were told.
    pub told: usize,
    /// Connections that were still there at the deadline.
    pub left: usize,
}

impl Server {
    /// Refuses new connections, tells all clients when to come back, closes them one after the other, and returns when
    /// the last one is gone or the deadline has come.
    pub async fn drain(&self) -> Drained {
        let shared = &self.shared;
        shared.start_draining();
        let deadline = Instant::now() + shared.limits.drain_deadline;
        let everybody = shared.hub.lock().everybody();
        for session in &everybody {
            session.outbox.announce(shared.retry_ms());
        }
        // The map's order is random already.
        let steps = shared.limits.drain.as_millis().div_ceil(STEP.as_millis()).max(1);
        let share = everybody.len().div_ceil(usize::try_from(steps).unwrap_or(usize::MAX)).max(1);
        let begin = Instant::now();
        for (count, some) in everybody.chunks(share).enumerate() {
            sleep_until(begin + STEP * u32::try_from(count).unwrap_or(u32::MAX)).await;
            some.iter().for_each(|session| session.outbox.end(EndRequest::Restart));
        }
        while shared.connections() > 0 && Instant::now() < deadline {
            sleep(STEP).await;
        }
        let drained = Drained { told: shared.number_told(), left: shared.connections() };
        info!(target: "signal", told = drained.told, left = drained.left, "drained");
        drained
    }
}
