//! What the edge does with every request: it logs a line, and adds the headers for the origins that CloudFront adds.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{info, warn};

/// The header by which the origins know that a request came through the edge.
pub const ORIGIN_KEY: HeaderName = HeaderName::from_static("x-peersync-origin-key");
/// The longest body that is read before forwarding, in bytes; the API accepts less.
const WHOLE: u64 = 64 * 1024;
/// How long reading the body may take.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Logs a line for every request, with status and duration; for a WebSocket when it opens. No answer of any part may be
/// taken for another kind of file than it says.
pub async fn log(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = next.run(request).await;
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let (status, milliseconds) = (response.status().as_u16(), start.elapsed().as_secs_f64() * 1000.0);
    let milliseconds = format!("{milliseconds:.1} ms");
    if path.starts_with("/_") {
        tracing::debug!(target: "edge", "{method} {path} {status} {milliseconds}");
    } else if status >= 500 {
        warn!(target: "edge", "{method} {path} {status} {milliseconds}");
    } else {
        info!(target: "edge", "{method} {path} {status} {milliseconds}");
    }
    response
}

/// Forwards a request when its body has arrived, as API Gateway does. The API refuses many requests without reading
/// their body, and a connection with an unread body is closed after the answer, while the client may already be using
/// it again. A body that is long or of unknown length is forwarded at once; a client that is refused then loses the
/// connection.
pub async fn with_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if body.size_hint().upper().is_none_or(|length| length > WHOLE) {
        return next.run(Request::from_parts(parts, body)).await;
    }
    match tokio::time::timeout(BODY_DEADLINE, to_bytes(body, usize::MAX)).await {
        Ok(Ok(body)) => next.run(Request::from_parts(parts, Body::from(body))).await,
        _ => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

/// Sets the header that identifies the viewer. Unlike CloudFront, it replaces what the browser claims instead of appending to
/// it, because some gateways of emulators take the first entry for the client's.
pub async fn for_origin(State(origin_key): State<HeaderValue>, mut request: Request, next: Next) -> Response {
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let headers = request.headers_mut();
    headers.remove(FORWARDED_FOR);
    headers.insert(ORIGIN_KEY, origin_key);
    let address = address.map(|address| HeaderValue::from_str(&address.ip().to_string()));
    if let Some(Ok(address)) = address {
        headers.insert(FORWARDED_FOR, address);
    }
    next.run(request).await
}
