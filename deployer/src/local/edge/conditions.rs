//! Bad networks on demand: what `--latency`, `--drop` and `--kill-signaling-every` set, and `/_network` changes while
//! it runs. They apply to the API and the WebSocket; pages always come at full speed.

use parking_lot::RwLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// The settings, as `/_network` shows and takes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Delay of each API request and of each WebSocket message in each direction, in milliseconds.
    pub latency_ms: u64,
    /// Share from 0 to 1 of API requests that get no answer, and of WebSocket messages that break the connection.
    pub drop: f64,
    /// Every so many milliseconds all WebSockets are cut; 0 for never.
    pub kill_signaling_every_ms: u64,
}

/// The conditions of all connections.
#[derive(Debug)]
pub struct Conditions {
    settings: RwLock<Settings>,
    /// Counts the cuts of all WebSockets.
    cuts: watch::Sender<u64>,
    /// Tells the timer of a new interval.
    interval: watch::Sender<u64>,
}

impl Conditions {
    /// Conditions that begin with these settings.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings: RwLock::new(settings),
            cuts: watch::Sender::new(0),
            interval: watch::Sender::new(settings.kill_signaling_every_ms),
        }
    }

    /// The settings now.
    pub fn settings(&self) -> Settings {
        *self.settings.read()
    }

    /// Changes the settings for everything that comes after.
    pub fn set(&self, settings: Settings) {
        *self.settings.write() = settings;
        self.interval.send_replace(settings.kill_signaling_every_ms);
    }

    /// The delay of a request or message.
    pub fn latency(&self) -> Duration {
        Duration::from_millis(self.settings().latency_ms)
    }

    /// Whether this one is lost.
    pub fn lost(&self) -> bool {
        let share = self.settings().drop;
        share > 0.0 && rand::random::<f64>() < share
    }

    /// Cuts all WebSockets without a goodbye, once.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Tells of every cut from now on.
    pub fn cuts(&self) -> watch::Receiver<u64> {
        self.cuts.subscribe()
    }

    /// Cuts in the set interval until `stop`.
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
                    warn!(target: "edge", "all WebSockets are cut, as --kill-signaling-every says");
                    self.cut();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;

    #[test]
    fn all_or_nothing_is_lost() {
        let conditions = Conditions::new(Settings::default());
        assert!((0..1000).all(|_| !conditions.lost()));
        conditions.set(Settings { drop: 1.0, ..Settings::default() });
        assert!((0..1000).all(|_| conditions.lost()));
    }

    #[tokio::test]
    async fn the_interval_can_be_changed_while_it_runs() {
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
