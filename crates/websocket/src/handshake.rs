//! The opening handshake: from an HTTP request to a WebSocket connection (RFC 6455, 4.2).

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::upgrade::OnUpgrade;
use ring::digest;
use serde_json::json;

/// What RFC 6455, 1.3 appends to the client's key before hashing it.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A request with a valid opening handshake.
#[derive(Debug)]
pub struct Handshake {
    accept: HeaderValue,
    upgrade: OnUpgrade,
}

/// The request is not a valid opening handshake for version 13.
#[derive(Clone, Copy, Debug)]
pub struct NoHandshake;

impl<S: Send + Sync> FromRequestParts<S> for Handshake {
    type Rejection = NoHandshake;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoHandshake> {
        let headers = &parts.headers;
        let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(NoHandshake)?;
        let valid = parts.method == Method::GET
            && has(headers, &CONNECTION, "upgrade")
            && has(headers, &UPGRADE, "websocket")
            && has(headers, &SEC_WEBSOCKET_VERSION, "13");
        let accept = HeaderValue::try_from(accept_key(key.as_bytes())).map_err(|_| NoHandshake)?;
        let upgrade = parts.extensions.remove::<OnUpgrade>().filter(|_| valid).ok_or(NoHandshake)?;
        Ok(Self { accept, upgrade })
    }
}

/// Returns the value of `Sec-WebSocket-Accept` for the client's `Sec-WebSocket-Key` (RFC 6455, 4.2.2).
pub fn accept_key(key: &[u8]) -> String {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(key);
    context.update(GUID);
    STANDARD.encode(context.finish())
}

impl Handshake {
    /// Returns the response that accepts, and the future that becomes the connection once it was sent.
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
        let error = json!({ "error": { "code": "bad_request", "message": "this route accepts WebSocket connections only, version 13" } });
        let headers = [
            (CONNECTION, HeaderValue::from_static("upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
        ];
        (StatusCode::UPGRADE_REQUIRED, headers, Json(error)).into_response()
    }
}

/// Whether one of the header's comma-separated lists contains the token.
fn has(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accept_key_matches_the_example_of_the_rfc() {
        assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    proptest! {
        #[test]
        fn accept_key_agrees_with_tungstenite(key in proptest::collection::vec(any::<u8>(), 0..64)) {
            let theirs = tokio_tungstenite::tungstenite::handshake::derive_accept_key(&key);
            prop_assert_eq!(accept_key(&key), theirs);
        }
    }
}
