//! What the edge does with every request: a line in the log, and for the origins the headers that CloudFront adds.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{info, warn};

/// The header by which the origins know that a request came through the edge.
pub const ORIGIN_KEY: HeaderName = HeaderName::from_static("x-peersync-origin-key");
/// The longest body that is waited for, in bytes; the API takes less.
const WHOLE: u64 = 64 * 1024;
/// How long it is waited for.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
const VIEWER_ADDRESS: HeaderName = HeaderName::from_static("cloudfront-viewer-address");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A line for every request, with status and time; a WebSocket's when it opens.
pub async fn log(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
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

/// Passes a request on when its body is here, as API Gateway does: the API refuses many unread, and a connection with
/// an unread body is closed after the answer, under the hands of a client that goes on with it. A body that is long or
/// of unknown length is passed on at once; whoever is refused with it loses the connection.
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

/// Says who asks, as CloudFront does: what the browser claims about it is replaced.
pub async fn for_origin(State(origin_key): State<HeaderValue>, mut request: Request, next: Next) -> Response {
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let headers = request.headers_mut();
    headers.remove(VIEWER_ADDRESS);
    headers.remove(FORWARDED_FOR);
    headers.insert(ORIGIN_KEY, origin_key);
    if let Some(address) = address {
        if let Ok(value) = HeaderValue::from_str(&address.ip().to_string()) {
            headers.insert(FORWARDED_FOR, value);
        }
        if let Ok(value) = HeaderValue::from_str(&format!("{}:{}", address.ip(), address.port())) {
            headers.insert(VIEWER_ADDRESS, value);
        }
    }
    next.run(request).await
}

/// The mailbox and the switches are for this computer alone, also where the pages are offered to the network: who
/// reads the mail can sign in as anybody. Names other than this computer's are refused because a foreign page could
/// point its own name here.
pub async fn only_this_computer(request: Request, next: Next) -> Response {
    let near = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .is_some_and(|info| info.0.ip().to_canonical().is_loopback());
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let same_site =
        request.headers().get(HeaderName::from_static("sec-fetch-site")).is_none_or(|site| site != "cross-site");
    let reading = request.method().is_safe();
    if near && is_this_computer(host) && (reading || same_site) {
        return next.run(request).await;
    }
    let text =
        "The mailbox and the switches are only for the computer that PeerSync runs on: open http://localhost there.\n";
    (StatusCode::FORBIDDEN, text).into_response()
}

fn is_this_computer(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]") || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_computer_are_let_in() {
        for host in ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", "[::1]", "peersync.localhost:8080"] {
            assert!(is_this_computer(host), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example:8080", "192.168.1.7:8080"] {
            assert!(!is_this_computer(host), "{host}");
        }
    }
}
