//! The edge, which emulates CloudFront: one origin for pages, API and WebSocket.

mod conditions;
mod held;
mod inside;
mod listen;
mod mail_key;
mod pages;
mod reload;
mod requests;
mod site;
mod wire;

pub use conditions::{Conditions, Settings};
pub use listen::{Listening, serve};
pub use mail_key::MailKey;
pub use pages::{Pages, Source};
pub use reload::Reload;
pub use site::host_text;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::routing::{any_service, get, post};
use axum::{Json, Router, middleware};

/// The parts that the edge forwards to.
pub struct Upstreams {
    /// The API's routes, without the prefix `/api`.
    pub api: Router,
    /// The signaling server, with the route `/ws`.
    pub signaling: Router,
    /// The mailbox page.
    pub mailbox: Router,
    /// The key that opens the mailbox and the switches, if they need one.
    pub mail_key: Option<MailKey>,
    /// The pages.
    pub pages: Pages,
    /// The reloading of pages, if they are served from a folder.
    pub reload: Option<Router>,
    /// The network conditions.
    pub conditions: Arc<Conditions>,
    /// The key by which API and signaling know that a request came through the edge.
    pub origin_key: HeaderValue,
}

/// Returns all routes.
pub fn router(behind: Upstreams) -> Router {
    let for_origin = middleware::from_fn_with_state(behind.origin_key, requests::for_origin);
    let only_this_computer = middleware::from_fn_with_state(behind.mail_key, inside::only_this_computer);
    let api = behind.api.layer(middleware::from_fn(requests::with_body));
    let origins = Router::new().nest("/api", api).route("/ws", any_service(behind.signaling)).layer(for_origin);
    let inside = behind.mailbox.merge(network(behind.conditions)).layer(only_this_computer);
    let pages = Router::new().fallback(pages::serve).with_state(Arc::new(behind.pages));
    let mut routes = origins.merge(inside);
    if let Some(reload) = behind.reload {
        routes = routes.merge(reload);
    }
    routes.fallback_service(pages).layer(middleware::from_fn(requests::log))
}

/// Returns the switches for network conditions: `GET` and `PUT /_network` with [`Settings`] as JSON, and
/// `POST /_network/kill-signaling` to close all WebSockets now.
fn network(conditions: Arc<Conditions>) -> Router {
    Router::new()
        .route("/_network", get(show).put(change))
        .route("/_network/kill-signaling", post(cut))
        .with_state(conditions)
}

async fn show(State(conditions): State<Arc<Conditions>>) -> Json<Settings> {
    Json(conditions.settings())
}

async fn change(State(conditions): State<Arc<Conditions>>, Json(settings): Json<Settings>) -> Json<Settings> {
    conditions.set(settings);
    Json(settings)
}

async fn cut(State(conditions): State<Arc<Conditions>>) -> StatusCode {
    conditions.cut();
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests;
