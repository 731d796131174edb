//! The way from HTTP to WebSocket (RFC 6455, 4.2).

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use serde_json::json;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A request that asks for a WebSocket in the right way.
#[derive(Debug)]
pub struct Handshake {
    accept: HeaderValue,
    upgrade: OnUpgrade,
}

/// It does not.
#[derive(Clone, Copy, Debug)]
pub struct NoHandshake;

impl<S: Send + Sync> FromRequestParts<S> for Handshake {
    type Rejection = NoHandshake;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoHandshake> {
        let headers = &parts.headers;
        let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(NoHandshake)?;
        let asked = parts.method == Method::GET
            && has(headers, &CONNECTION, "upgrade")
            && has(headers, &UPGRADE, "websocket")
            && has(headers, &SEC_WEBSOCKET_VERSION, "13");
        let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes())).map_err(|_| NoHandshake)?;
        let upgrade = parts.extensions.remove::<OnUpgrade>().filter(|_| asked).ok_or(NoHandshake)?;
        Ok(Self { accept, upgrade })
    }
}

impl Handshake {
    /// The answer, and what becomes the WebSocket once it was given.
    pub fn accept(self) -> (Response, OnUpgrade) {
        let headers = [
            (CONNECTION, HeaderValue::from_static("upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_ACCEPT, self.accept),
        ];
        ((StatusCode::SWITCHING_PROTOCOLS, headers).into_response(), self.upgrade)
    }
}

impl IntoResponse for NoHandshake {
    fn into_response(self) -> Response {
        let error = json!({ "error": { "code": "bad_request", "message": "this is for WebSockets, version 13" } });
        let headers = [
            (CONNECTION, HeaderValue::from_static("upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
        ];
        (StatusCode::UPGRADE_REQUIRED, headers, Json(error)).into_response()
    }
}

/// Whether the word is in one of the header's lists.
fn has(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
}
