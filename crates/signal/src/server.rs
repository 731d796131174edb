//! The HTTP routes: the upgrade, the health check, and the metrics.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use axum::extract::{ConnectInfo, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use hyper::upgrade::OnUpgrade;
use peersync_server::client_address::{CONNECTING_IP, FORWARDED_FOR, ORIGIN_KEY, VIEWER_ADDRESS};
use peersync_server::metrics::{Measured, Metric, as_number};
use peersync_server::settings::Entrance;
use peersync_server::site::Site;
use peersync_websocket::{Handshake, Socket};
use serde_json::json;

use crate::admission::{Admitted, OpenSlot};
use crate::limits::Limits;
use crate::metrics::Counts;
use crate::shared::{Parts, Shared};
use crate::{admission, connection, handover, withdrawals};

/// Headers that only a proxy sets: a request with one of them did not originate on this machine.
const FORWARDED: [&str; 4] = [FORWARDED_FOR, CONNECTING_IP, VIEWER_ADDRESS, ORIGIN_KEY];

/// The signaling server; clones are the same one.
#[derive(Clone, Debug)]
pub struct Server {
    pub(crate) shared: Arc<Shared>,
}

impl Server {
    /// Creates a server. Must be called in a Tokio runtime, where it starts the tasks that keep the time and
    /// follow what is withdrawn.
    pub fn new(parts: Parts) -> Self {
        let shared = Arc::new(Shared::new(parts));
        tokio::spawn(keep_time(Arc::downgrade(&shared)));
        tokio::spawn(withdrawals::follow(Arc::downgrade(&shared)));
        Self { shared }
    }

    /// Returns the routes `/ws`, `/healthz`, and `/metrics` for this machine. Requests need the extension
    /// `ConnectInfo<SocketAddr>`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/ws", get(upgrade))
            .route_layer(from_fn_with_state(Arc::clone(&self.shared), handover::answer))
            .route("/healthz", get(health))
            .route("/metrics", get(metrics))
            .with_state(Arc::clone(&self.shared))
    }

    /// Returns the current number of WebSocket connections.
    pub fn connections(&self) -> usize {
        self.shared.connections()
    }

    /// Returns how many people, rooms and calls are here.
    pub(crate) fn counts(&self) -> Counts {
        self.shared.hub.lock().counts()
    }

    /// Returns what happened since the last call, and how much there is now, for the owner of the stack. To be called every
    /// minute, first at the start.
    pub fn measure(&self) -> Vec<Measured> {
        let uptime = (Metric::Uptime, vec![self.shared.now().as_secs_f64().round()]);
        let sockets = u64::try_from(self.connections()).unwrap_or(u64::MAX);
        let sockets = (sockets > 0).then(|| (Metric::Sockets, vec![as_number(sockets)]));
        self.shared.hub.tally().take().into_iter().chain([uptime]).chain(sockets).collect()
    }

    /// Returns the limits.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }
}

async fn upgrade(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    slot: Option<Extension<OpenSlot>>,
    entrance: Option<Extension<Entrance>>,
    site: Option<Extension<Site>>,
    headers: HeaderMap,
    handshake: Handshake,
) -> Response {
    let entrance = entrance.map_or(shared.settings.entrance, |Extension(entrance)| entrance);
    let admitted = match admission::admit(&shared, &headers, entrance, site.as_deref(), peer).await {
        Ok(admitted) => admitted,
        Err(refusal) => {
            shared.metrics.refused(refusal.reason());
            return refusal.into_response();
        }
    };
    shared.metrics.upgraded.inc();
    let (response, upgrade) = handshake.accept();
    tokio::spawn(upgraded(shared, upgrade, admitted, slot));
    response
}

/// Serves a connection once it is a WebSocket, and keeps its places until it ends.
async fn upgraded(
    shared: Arc<Shared>,
    upgrade: OnUpgrade,
    Admitted { seat, slot: address_slot, greeting }: Admitted,
    slot: Option<Extension<OpenSlot>>,
) {
    if let Ok(upgraded) = upgrade.await {
        let socket = Box::new(Socket::new(upgraded, shared.limits.hello_bytes));
        connection::serve(shared, socket, greeting, address_slot.account()).await;
    }
    drop((seat, address_slot, slot));
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let (status, word) =
        if shared.is_draining() { (StatusCode::SERVICE_UNAVAILABLE, "draining") } else { (StatusCode::OK, "ok") };
    (status, Json(json!({ "status": word, "version": env!("CARGO_PKG_VERSION") }))).into_response()
}

/// Serves the metrics to Prometheus on this machine. For everybody else the route does not exist.
async fn metrics(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    if !peer.ip().to_canonical().is_loopback() || FORWARDED.iter().any(|name| headers.contains_key(*name)) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let counts = shared.hub.lock().counts();
    let text = shared.metrics.text(counts, shared.connections(), shared.bounds.used(), shared.partials.used());
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}

/// Sends pings and ends lost sessions, unanswered rings and expired rooms, in one task for all, as long as the server exists.
async fn keep_time(shared: Weak<Shared>) {
    let Some(tick) = shared.upgrade().map(|shared| shared.limits.tick) else { return };
    let mut timer = tokio::time::interval(tick);
    loop {
        timer.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        let now = shared.now();
        shared.wheel.tick(now);
        shared.hub.lock().end_rooms(now);
        shared.partials.expire(now);
        while shared.hub.lock().expire(now) {
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<A, B, C, D, Task>(_: impl FnOnce(A, B, C, D) -> Task) -> usize {
        size_of::<Task>()
    }

    #[test]
    fn task_of_a_connection_has_no_room_for_what_is_rare() {
        // Each of thousands of sessions keeps it as long as it lives.
        assert!(size(upgraded) <= 768, "{} bytes", size(upgraded));
    }
}
