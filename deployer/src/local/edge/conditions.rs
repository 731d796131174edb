//! Simulated network conditions, set by `--latency`, `--drop` and `--kill-signaling-every` and changed at run time by
//! `/_network`. They apply to the API and the WebSocket; pages are always served at full speed.

use parking_lot::RwLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// The settings, as `/_network` shows and accepts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The delay of each API request, and of each WebSocket message in each direction, in milliseconds.
    pub latency_ms: u64,
    /// The fraction, 0 to 1, of API requests that get no answer and of WebSocket messages that break the connection.
    pub drop: f64,
    /// The interval at which all WebSockets are closed, in milliseconds; 0 for never.
    pub kill_signaling_every_ms: u64,
}

/// The conditions of all connections.
#[derive(Debug)]
pub struct Conditions {
    settings: RwLock<Settings>,
    /// Counts how often all WebSockets were closed.
    cuts: watch::Sender<u64>,
    /// Notifies the timer of a new interval.
    interval: watch::Sender<u64>,
}

impl Conditions {
    /// Creates conditions with these initial settings.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings: RwLock::new(settings),
            cuts: watch::Sender::new(0),
            interval: watch::Sender::new(settings.kill_signaling_every_ms),
        }
    }

    /// Returns the current settings.
    pub fn settings(&self) -> Settings {
        *self.settings.read()
    }

    /// Changes the settings for everything that follows.
    pub fn set(&self, settings: Settings) {
        *self.settings.write() = settings;
        self.interval.send_replace(settings.kill_signaling_every_ms);
    }

    /// Returns the delay of a request or message.
    pub fn latency(&self) -> Duration {
        Duration::from_millis(self.settings().latency_ms)
    }

    /// Returns whether this request or message is lost.
    pub fn lost(&self) -> bool {
        let share = self.settings().drop;
        share > 0.0 && rand::random::<f64>() < share
    }

    /// Closes all WebSockets once, without a closing handshake.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Returns a receiver that is notified whenever all WebSockets are closed from now on.
    pub fn cuts(&self) -> watch::Receiver<u64> {
        self.cuts.subscribe()
    }

    /// Closes all WebSockets at the set interval until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let mut interval = self.interval.subscribe();
        loop {
            let every = *interval.borrow_and_update();
            let elapsed = async {
                match every {
                    0 => std::future::pending().await,
                    every => tokio::time::sleep(Duration::from_millis(every)).await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                changed = interval.changed() => if changed.is_err() { return },
                () = elapsed => {
                    warn!(target: "edge", "closing all WebSockets, as set by --kill-signaling-every");
                    self.cut();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic here fails the test")]
    use super::*;

    #[test]
    fn drop_of_0_loses_nothing_and_1_everything() {
        let conditions = Conditions::new(Settings::default());
        assert!((0..1000).all(|_| !conditions.lost()));
        conditions.set(Settings { drop: 1.0, ..Settings::default() });
        assert!((0..1000).all(|_| conditions.lost()));
    }

    #[tokio::test]
    async fn interval_can_be_changed_at_run_time() {
        let conditions = std::sync::Arc::new(Conditions::new(Settings::default()));
        let stop = CancellationToken::new();
        let mut cuts = conditions.cuts();
        let running = std::sync::Arc::clone(&conditions);
        let until = stop.clone();
        let task = tokio::spawn(async move { running.run(until).await });
        assert!(!cuts.has_changed().unwrap());
        conditions.set(Settings { kill_signaling_every_ms: 1, ..Settings::default() });
        tokio::time::timeout(Duration::from_secs(10), cuts.changed()).await.unwrap().unwrap();
        stop.cancel();
        task.await.unwrap();
    }
}
