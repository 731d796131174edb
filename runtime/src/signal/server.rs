//! The server: what all connections share, and who may become one.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, State};
use axum::http::header::{CONTENT_TYPE, ORIGIN, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::json;

use super::address::{Addresses, ORIGIN_KEY, Place, client_address};
use super::bounds::Bounds;
use super::connection;
use super::directory::Directory;
use super::heartbeat::Wheel;
use super::hub::Hub;
use super::limits::Limits;
use super::listen::Slot;
use super::metrics::Metrics;
use super::tickets::Tickets;
use super::websocket::{Handshake, Socket};
use crate::secrets::Secret;
use crate::settings::Settings;
use crate::store::Store;
use crate::tickets::TicketKeys;

/// Headers that only a proxy sets: whoever sends them is not on this machine, whatever the socket says.
const FORWARDED: [&str; 4] = ["x-forwarded-for", "cf-connecting-ip", "cloudfront-viewer-address", ORIGIN_KEY];

/// What a server is made of.
#[derive(Debug)]
pub struct Parts {
    /// Origins and the rooms' capacity are taken from them.
    pub settings: Settings,
    /// How clients get here.
    pub ingress: Ingress,
    /// For the tickets of clients.
    pub ticket_keys: TicketKeys,
    /// Friends and rooms.
    pub store: Arc<Store>,
    /// Bounds and times.
    pub limits: Limits,
}

/// How clients get to the server, and so whose word on their addresses counts.
#[derive(Clone, Debug)]
pub enum Ingress {
    /// Through CloudFront, the proxy of our own host, or the edge of `local`, which proves itself with this key; without
    /// it nobody gets in.
    Edge(Secret),
    /// From the network.
    Direct,
}

/// The signaling server; clones are the same one.
#[derive(Clone, Debug)]
pub struct Server {
    pub(super) shared: Arc<Shared>,
}

/// What all connections share.
#[derive(Debug)]
pub struct Shared {
    settings: Settings,
    ingress: Ingress,
    pub(super) limits: Arc<Limits>,
    pub(super) hub: Hub,
    pub(super) wheel: Wheel,
    pub(super) tickets: Tickets,
    pub(super) directory: Directory,
    pub(super) metrics: Arc<Metrics>,
    addresses: Arc<Addresses>,
    bounds: Arc<Bounds>,
    connections: AtomicUsize,
    numbers: AtomicU64,
    draining: AtomicBool,
    /// Clients that were told of the drain.
    told: AtomicUsize,
    started: Instant,
}

/// One of the connections, counted until it is dropped.
struct Seat(Arc<Shared>);

impl Server {
    /// Makes a server. It must be made inside a Tokio runtime, where it starts the one task that keeps its time.
    pub fn new(parts: Parts) -> Self {
        let limits = Arc::new(parts.limits);
        let metrics = Arc::new(Metrics::default());
        let bounds = Bounds::new(&limits);
        let capacity = usize::try_from(parts.settings.room_capacity).unwrap_or(usize::MAX).max(1);
        let shared = Arc::new(Shared {
            ingress: parts.ingress,
            hub: Hub::new(Arc::clone(&limits), capacity, Arc::clone(&bounds)),
            wheel: Wheel::new(&limits),
            tickets: Tickets::new(parts.ticket_keys),
            directory: Directory::new(parts.store, Arc::clone(&limits), Arc::clone(&metrics)),
            metrics,
            addresses: Arc::default(),
            bounds,
            connections: AtomicUsize::new(0),
            // 0 is nobody in an outbox.
            numbers: AtomicU64::new(1),
            draining: AtomicBool::new(false),
            told: AtomicUsize::new(0),
            started: Instant::now(),
            settings: parts.settings,
            limits,
        });
        tokio::spawn(keep_time(Arc::downgrade(&shared)));
        Self { shared }
    }

    /// `/ws`, `/healthz`, and `/metrics` for this machine. Requests need the extension `ConnectInfo<SocketAddr>`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/ws", get(upgrade))
            .route("/healthz", get(health))
            .route("/metrics", get(metrics))
            .with_state(Arc::clone(&self.shared))
    }

    /// WebSocket connections at the moment.
    pub fn connections(&self) -> usize {
        self.shared.connections()
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }
}

impl Shared {
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(super) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    pub(super) fn start_draining(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    pub(super) fn told(&self) {
        self.told.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn number_told(&self) -> usize {
        self.told.load(Ordering::Relaxed)
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// When a client should come back: not all at once, and not before the next server listens.
    pub(super) fn retry_ms(&self) -> u64 {
        let spread = u64::try_from(self.limits.drain.as_millis()).unwrap_or(u64::MAX / 4);
        500 + rand::random_range(0..=2 * spread)
    }

    /// The one place for what an upgrade needs beside its handshake.
    fn admit(self: &Arc<Self>, headers: &HeaderMap, peer: SocketAddr) -> Result<(Seat, Place), Refusal> {
        let from_edge = matches!(self.ingress, Ingress::Edge(_));
        if let Ingress::Edge(expected) = &self.ingress {
            let key = headers.get(ORIGIN_KEY).and_then(|value| value.to_str().ok());
            if !key.is_some_and(|key| expected.matches(key)) {
                return Err(Refusal::Edge);
            }
        }
        let origin = headers.get(ORIGIN).and_then(|value| value.to_str().ok());
        if !origin.is_some_and(|origin| self.settings.allows_origin(origin)) {
            return Err(Refusal::Origin);
        }
        if self.is_draining() {
            return Err(Refusal::Draining);
        }
        let seat = Seat::take(self).ok_or(Refusal::Full)?;
        let address = client_address(headers, peer, from_edge);
        let (all, greeting) = (self.limits.per_address, self.limits.greeting_per_address);
        let place = self.addresses.enter(address, all, greeting).ok_or(Refusal::Address)?;
        Ok((seat, place))
    }
}

impl Seat {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let seat = Self(Arc::clone(shared));
        (shared.connections.fetch_add(1, Ordering::SeqCst) < shared.limits.connections).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Why an upgrade is refused.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    Edge,
    Origin,
    Draining,
    Full,
    Address,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, message) = match self {
            Self::Edge => (StatusCode::FORBIDDEN, "forbidden", "connect through the site's own address"),
            Self::Origin => (StatusCode::FORBIDDEN, "origin", "pages of this origin may not connect"),
            Self::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining", "the server restarts; try again"),
            Self::Full => (StatusCode::SERVICE_UNAVAILABLE, "too_many", "the server is full; try again later"),
            Self::Address => (StatusCode::TOO_MANY_REQUESTS, "too_many", "too many connections from your address"),
        };
        let mut response = (status, Json(json!({ "error": { "code": code, "message": message } }))).into_response();
        if matches!(self, Self::Draining | Self::Full | Self::Address) {
            response.headers_mut().insert(RETRY_AFTER, axum::http::HeaderValue::from_static("5"));
        }
        response
    }
}

impl Refusal {
    fn reason(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Origin => "origin",
            Self::Draining => "draining",
            Self::Full => "full",
            Self::Address => "address",
        }
    }
}

async fn upgrade(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    slot: Option<Extension<Slot>>,
    headers: HeaderMap,
    handshake: Handshake,
) -> Response {
    let (seat, place) = match shared.admit(&headers, peer) {
        Ok(admitted) => admitted,
        Err(refusal) => {
            shared.metrics.refused(refusal.reason());
            return refusal.into_response();
        }
    };
    shared.metrics.upgraded.inc();
    let (response, upgrade) = handshake.accept();
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let socket = Socket::new(upgraded, shared.limits.message_bytes);
            connection::serve(shared, socket, place).await;
        }
        drop((seat, slot));
    });
    response
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let (status, word) =
        if shared.is_draining() { (StatusCode::SERVICE_UNAVAILABLE, "draining") } else { (StatusCode::OK, "ok") };
    (status, Json(json!({ "status": word, "version": env!("CARGO_PKG_VERSION") }))).into_response()
}

/// For Prometheus on this machine; to everybody else the route does not exist.
async fn metrics(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    if !peer.ip().to_canonical().is_loopback() || FORWARDED.iter().any(|name| headers.contains_key(*name)) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let counts = shared.hub.lock().counts();
    let text = shared.metrics.text(counts, shared.connections(), shared.bounds.used());
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}

/// Pings, lost sessions, unanswered rings: one task for all, as long as there is a server.
async fn keep_time(shared: Weak<Shared>) {
    let Some(tick) = shared.upgrade().map(|shared| shared.limits.tick) else { return };
    let mut timer = tokio::time::interval(tick);
    loop {
        timer.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        let now = shared.now();
        shared.wheel.tick(now);
        while shared.hub.lock().expire(now) {
            tokio::task::yield_now().await;
        }
    }
}
