//! The state that all connections share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use peersync_server::clock::Clock;
use peersync_server::secrets::LiveSecrets;
use peersync_server::settings::{Entrance, Settings};
use peersync_server::store::Store;

use crate::addresses::Addresses;
use crate::bounds::Bounds;
use crate::directory::Directory;
use crate::heartbeat::Wheel;
use crate::hub::Hub;
use crate::keys::Keys;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::partials::Partials;
use crate::reentry::Reentries;
use crate::tickets::Tickets;
use crate::used::Used;
use peersync_server::newcomers::Newcomers;

/// When the first clients come back after a drain, in milliseconds: systemd starts a program again after a second.
const FIRST_BACK_MS: u64 = 1000;
/// When the first clients come back after a drain behind a named tunnel, in milliseconds: if the host is replaced, the next one
/// notices the end and connects in that time (`host/tunnel.sh` of the deployer).
const TUNNEL_BACK_MS: u64 = 3000;
/// When the first clients come back if an Elastic IP address moves, in milliseconds: after the call, and the seconds until
/// packets take the new way.
const MOVED_MS: u64 = 2000;
/// The time between two clients that come back, in milliseconds, as long as they are few.
const EACH_BACK_MS: u64 = 2;
/// The time over which even a few of them come back, in milliseconds.
const LEAST_SPREAD_MS: u64 = 250;

/// What a server is created from.
#[derive(Debug)]
pub struct Parts {
    /// The settings, of which the stack's name, the allowed origins, the rooms' capacity and the proxy's key are used.
    pub settings: Settings,
    /// The keys for the tickets of clients and for the edge, which must have been read. Without a key for the edge,
    /// clients connect directly.
    pub secrets: Arc<LiveSecrets>,
    /// The database with friends and rooms.
    pub store: Arc<Store>,
    /// Bounds and durations.
    pub limits: Limits,
    /// The time by which tickets, rooms and notices go.
    pub clock: Clock,
}

/// The state that all connections share.
#[derive(Debug)]
pub struct Shared {
    pub(crate) settings: Settings,
    pub(crate) keys: Keys,
    pub(crate) limits: Arc<Limits>,
    pub(crate) hub: Hub,
    pub(crate) wheel: Wheel,
    pub(crate) tickets: Tickets,
    pub(crate) reentries: Reentries,
    /// The handovers that the server was told of, each of which counts once.
    pub(crate) handovers: Mutex<Used>,
    pub(crate) directory: Directory,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) addresses: Addresses,
    pub(crate) greetings: Arc<Newcomers>,
    /// TCP connections that are not a WebSocket, or not yet.
    pub(crate) heads: Arc<Newcomers>,
    pub(crate) bounds: Arc<Bounds>,
    pub(crate) partials: Arc<Partials>,
    pub(crate) connections: AtomicUsize,
    numbers: AtomicU64,
    draining: AtomicBool,
    /// The number of clients that were notified of the drain.
    notified: AtomicUsize,
    started: Instant,
}

impl Shared {
    /// Returns the state of a server without connections.
    pub(crate) fn new(parts: Parts) -> Self {
        let limits = Arc::new(parts.limits);
        let metrics = Arc::new(Metrics::default());
        let bounds = Bounds::new(&limits);
        let capacity = usize::try_from(parts.settings.room_capacity).unwrap_or(usize::MAX).max(1);
        let keys = Keys::new(&parts.settings, parts.secrets, parts.clock.clone());
        Self {
            tickets: Tickets::new(keys.moment(), limits.used_tickets),
            reentries: Reentries::new(keys.moment(), limits.used_reentries),
            handovers: Mutex::default(),
            keys,
            hub: Hub::new(Arc::clone(&limits), capacity, Arc::clone(&bounds)),
            wheel: Wheel::new(&limits),
            directory: Directory::new(parts.store, parts.clock, Arc::clone(&limits), Arc::clone(&metrics)),
            metrics,
            partials: Partials::new(&limits),
            addresses: Addresses::default(),
            greetings: Arc::default(),
            heads: Arc::default(),
            bounds,
            connections: AtomicUsize::new(0),
            // In an outbox 0 means no connection.
            numbers: AtomicU64::new(1),
            draining: AtomicBool::new(false),
            notified: AtomicUsize::new(0),
            started: Instant::now(),
            settings: parts.settings,
            limits,
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    pub(crate) fn start_draining(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    pub(crate) fn count_notified(&self) {
        self.notified.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn notified(&self) -> usize {
        self.notified.load(Ordering::Relaxed)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Returns after how many milliseconds a client should reconnect: not before the next server listens, and so that not
    /// all come at once. A few people are back within seconds.
    pub(crate) fn retry_ms(&self) -> u64 {
        (if self.has_named_tunnel() { TUNNEL_BACK_MS } else { FIRST_BACK_MS }) + self.spread_ms()
    }

    /// Returns whether the next host has the same address, and waits at it until this one says that it ends.
    pub(crate) fn has_named_tunnel(&self) -> bool {
        self.settings.entrance == Entrance::Tunnel && self.settings.tunnel_metrics.is_none()
    }

    /// As [`Shared::retry_ms`], if the address is about to move to the next host.
    pub(crate) fn retry_after_move_ms(&self) -> u64 {
        MOVED_MS + self.spread_ms()
    }

    fn spread_ms(&self) -> u64 {
        let longest = u64::try_from(2 * self.limits.drain.as_millis()).unwrap_or(u64::MAX / 4);
        let clients = u64::try_from(self.connections()).unwrap_or(u64::MAX / 4);
        rand::random_range(0..=(clients * EACH_BACK_MS).max(LEAST_SPREAD_MS).min(longest))
    }
}
