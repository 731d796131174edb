//! Which upgrades are admitted: through the edge, from an allowed origin, and within the limits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::http::header::{ORIGIN, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use peersync_server::client_address::{Network, client_address, tunnelled_address};
use peersync_server::settings::Entrance;
use peersync_server::site::Site;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use crate::addresses::ConnectionSlot;
use crate::keys::Ingress;
use crate::shared::Shared;
use peersync_server::newcomers::Newcomer;

/// A permit for one open TCP connection. A WebSocket keeps it after the upgrade.
#[derive(Clone, Debug)]
pub struct OpenSlot {
    _permit: Arc<OwnedSemaphorePermit>,
}

impl OpenSlot {
    /// Returns a slot that is released when its last clone is dropped.
    pub fn new(permit: OwnedSemaphorePermit) -> Self {
        Self { _permit: Arc::new(permit) }
    }
}

/// One WebSocket connection, counted until it is dropped.
#[derive(Debug)]
pub struct Seat(Arc<Shared>);

/// What an admitted connection holds.
#[derive(Debug)]
pub struct Admitted {
    /// Its place among all connections.
    pub seat: Seat,
    /// Its place among those of its address.
    pub slot: ConnectionSlot,
    /// Its place among those without `hello`.
    pub greeting: Newcomer,
}

/// Checks everything that an upgrade needs besides its handshake. `entrance` is what its connection came through, and `site`
/// the one that it reached, if the edge knows it.
///
/// # Errors
/// The reason why it is refused.
pub async fn admit(
    shared: &Arc<Shared>,
    headers: &HeaderMap,
    entrance: Entrance,
    site: Option<&Site>,
    peer: SocketAddr,
) -> Result<Admitted, Refusal> {
    let address = match shared.keys.ingress(entrance, headers).await.ok_or(Refusal::Edge)? {
        Ingress::Tunnel => tunnelled_address(headers).ok_or(Refusal::Edge)?,
        ingress => client_address(headers, Some(peer.ip()), ingress == Ingress::Edge).unwrap_or(peer.ip()),
    };
    let origin = headers.get(ORIGIN).and_then(|value| value.to_str().ok());
    let site = Site::of(&shared.settings, site);
    if !origin.is_some_and(|origin| site.allows(&shared.settings, origin)) {
        return Err(Refusal::Origin);
    }
    if shared.is_draining() {
        return Err(Refusal::Draining);
    }
    let seat = Seat::take(shared).ok_or(Refusal::Full)?;
    let limits = &shared.limits;
    let slot = shared.addresses.enter(address, limits.per_address).ok_or(Refusal::Address)?;
    // This machine itself has no limit of its own.
    let networks = Network::of_one_customer(address).filter(|_| !address.to_canonical().is_loopback());
    let greeting = shared.greetings.enter(networks, limits.greeting_per_address, limits.greeting);
    Ok(Admitted { seat, slot, greeting })
}

impl Seat {
    /// Takes a seat. If all are taken, the oldest connection without `hello` gives up its own; it leaves at once.
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let seat = Self(Arc::clone(shared));
        let free = shared.connections.fetch_add(1, Ordering::SeqCst) < shared.limits.connections;
        (free || shared.greetings.displace_oldest()).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Why an upgrade is refused.
#[derive(Clone, Copy, Debug)]
pub enum Refusal {
    /// It did not come through the edge.
    Edge,
    /// Its page has another origin.
    Origin,
    /// The server is draining.
    Draining,
    /// The server has reached its limit of connections.
    Full,
    /// The client's address has reached its limit of connections.
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
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

impl Refusal {
    /// Returns its name in the metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Origin => "origin",
            Self::Draining => "draining",
            Self::Full => "full",
            Self::Address => "address",
        }
    }
}
