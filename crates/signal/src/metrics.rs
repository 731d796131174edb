//! The metrics for `/metrics`. No label contains data of a user.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The counts of the hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sessions, including those that wait to be resumed.
    pub sessions: usize,
    /// Signed-in users.
    pub users: usize,
    /// Rooms with somebody in them.
    pub rooms: usize,
    /// Rooms with several people in them.
    pub calls: usize,
    /// Rings.
    pub rings: usize,
}

/// A family of counters with one label.
type Labelled = Family<[(&'static str, &'static str); 1], Counter>;

/// The metrics. Those of the hot path are plain counters, since families take a lock.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Messages from clients.
    pub received: Counter,
    /// `signal` messages relayed.
    pub relayed: Counter,
    /// Connections that became a WebSocket.
    pub upgraded: Counter,
    /// Sessions that were resumed.
    pub resumed: Counter,
    /// Look-ups in DynamoDB that failed.
    pub directory_errors: Counter,
    /// The time from the server's ping to the client's pong.
    pub round_trip: Histogram,
    refused: Labelled,
    closed: Labelled,
    errors: Labelled,
    connections: Gauge,
    sessions: Gauge,
    users: Gauge,
    rooms: Gauge,
    calls: Gauge,
    rings: Gauge,
    queued: Gauge,
    partial: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("peersync_signal");
        let histogram = Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        registry.register_with_unit("client_round_trip", "From ping to pong", Unit::Seconds, histogram.clone());
        let registry = &mut registry;
        Self {
            received: counter(registry, "received", "Messages from clients"),
            relayed: counter(registry, "relayed", "Signal messages passed on"),
            upgraded: counter(registry, "upgraded", "Connections that became a WebSocket"),
            resumed: counter(registry, "resumed", "Sessions that were continued"),
            directory_errors: counter(registry, "directory_errors", "Look-ups that DynamoDB did not answer"),
            round_trip: histogram,
            refused: family(registry, "refused", "Upgrades that were refused, by reason"),
            closed: family(registry, "closed", "Connections that ended, by reason"),
            errors: family(registry, "errors", "Messages that were refused, by type"),
            connections: gauge(registry, "connections", "WebSocket connections"),
            sessions: gauge(registry, "sessions", "Sessions, those that wait to be resumed included"),
            users: gauge(registry, "users", "Signed-in users"),
            rooms: gauge(registry, "rooms", "Rooms with somebody in them"),
            calls: gauge(registry, "calls", "Rooms with several people in them"),
            rings: gauge(registry, "rings", "Rings"),
            queued: gauge(registry, "queued_bytes", "Bytes that wait for clients or for their acknowledgement"),
            partial: gauge(registry, "partial_bytes", "Bytes of messages that clients have not completed"),
            registry: std::mem::take(registry),
        }
    }
}

impl Metrics {
    /// Counts a refused upgrade.
    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&[("reason", reason)]).inc();
    }

    /// Counts a closed connection.
    pub fn closed(&self, reason: &'static str) {
        self.closed.get_or_create(&[("reason", reason)]).inc();
    }

    /// Counts a refused message.
    pub fn error(&self, kind: &'static str) {
        self.errors.get_or_create(&[("type", kind)]).inc();
    }

    /// Returns the text that Prometheus reads.
    pub fn text(&self, counts: Counts, connections: usize, queued: usize, partial: usize) -> String {
        for (gauge, value) in [
            (&self.connections, connections),
            (&self.sessions, counts.sessions),
            (&self.users, counts.users),
            (&self.rooms, counts.rooms),
            (&self.calls, counts.calls),
            (&self.rings, counts.rings),
            (&self.queued, queued),
            (&self.partial, partial),
        ] {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

fn counter(registry: &mut Registry, name: &'static str, help: &'static str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn family(registry: &mut Registry, name: &'static str, help: &'static str) -> Labelled {
    let family = Labelled::default();
    registry.register(name, help, family.clone());
    family
}

fn gauge(registry: &mut Registry, name: &'static str, help: &'static str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}
