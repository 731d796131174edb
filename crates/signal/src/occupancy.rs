//! Writes into the log how many people and calls are here, for `peersync-deploy status`: numbers alone.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::info;

use crate::metrics::Counts;
use crate::server::Server;

/// How often the numbers are looked at.
const INTERVAL: Duration = Duration::from_secs(60);
/// After how long they are written again if they are the same.
const REPEAT: Duration = Duration::from_secs(600);

/// What was written last.
#[derive(Debug, Default)]
struct Written(Option<(Counts, Instant)>);

impl Written {
    /// Returns whether the numbers are to be written now, and remembers them if so.
    fn is_due(&mut self, counts: Counts, now: Instant) -> bool {
        let is_due = self.0.is_none_or(|(last, when)| last != counts || now.duration_since(when) >= REPEAT);
        if is_due {
            self.0 = Some((counts, now));
        }
        is_due
    }
}

/// Writes the numbers of a server when they change, and every ten minutes, until this is dropped.
pub async fn tell_occupancy(server: Server) {
    let mut written = Written::default();
    let mut minutes = interval(INTERVAL);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        minutes.tick().await;
        let counts = server.counts();
        if written.is_due(counts, Instant::now()) {
            let Counts { sessions, users, rooms, calls, .. } = counts;
            info!(target: "signal", users, sessions, rooms, calls, "occupancy");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_when_they_change_and_every_ten_minutes() {
        let (mut written, start) = (Written::default(), Instant::now());
        let mut due =
            |users, minutes: u32| written.is_due(Counts { users, ..Counts::default() }, start + INTERVAL * minutes);
        let seen: Vec<bool> = [(0, 0), (0, 1), (2, 2), (2, 3), (1, 4), (1, 13), (1, 14), (1, 15)]
            .into_iter()
            .map(|(users, minutes)| due(users, minutes))
            .collect();
        assert_eq!(seen, [true, false, true, false, true, false, true, false]);
    }
}
