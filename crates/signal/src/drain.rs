//! Shutting down without a thundering herd: every client is told when to reconnect, then the closes are spread over
//! time.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tracing::info;

use crate::outbox::EndRequest;
use crate::server::Server;

/// The interval between batches of closes.
const STEP: Duration = Duration::from_millis(20);
/// How long the health check says at least that the server drains, if the next host asks it every half second.
const SAID: Duration = Duration::from_secs(1);

/// The result of a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// The number of clients that were notified.
    pub notified: usize,
    /// The number of connections that were still open at the deadline.
    pub left: usize,
}

impl Server {
    /// Refuses new connections, tells all clients when to reconnect, closes them in batches, and returns when the last
    /// one is gone or the deadline has passed.
    pub async fn drain(&self) -> Drained {
        let shared = &self.shared;
        shared.start_draining();
        let deadline = Instant::now() + shared.limits.drain_deadline;
        let sessions = shared.hub.lock().all_sessions();
        for session in &sessions {
            session.outbox.announce(shared.retry_ms());
        }
        // The map's order is random already.
        let steps = shared.limits.drain.as_millis().div_ceil(STEP.as_millis()).max(1);
        let share = sessions.len().div_ceil(usize::try_from(steps).unwrap_or(usize::MAX)).max(1);
        let begin = Instant::now();
        for (count, batch) in sessions.chunks(share).enumerate() {
            sleep_until(begin + STEP * u32::try_from(count).unwrap_or(u32::MAX)).await;
            // Pages leave as soon as they are told.
            if shared.connections() == 0 {
                break;
            }
            batch.iter().for_each(|session| session.outbox.end(EndRequest::Restart));
        }
        while shared.connections() > 0 && Instant::now() < deadline {
            sleep(STEP).await;
        }
        if shared.has_named_tunnel() {
            sleep_until(begin + SAID).await;
        }
        let drained = Drained { notified: shared.notified(), left: shared.connections() };
        info!(target: "signal", told = drained.notified, left = drained.left, "drained");
        drained
    }
}
