//! What the edge does with every request: it logs a line, and adds the headers for the origins that CloudFront adds.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use peersync_server::site::Site;
use tracing::{info, warn};

use super::site::{FromThisComputer, is_localhost};

/// The header by which the origins know that a request came through the edge.
pub const ORIGIN_KEY: HeaderName = HeaderName::from_static("x-peersync-origin-key");
/// The longest body that is read before forwarding, in bytes; the API accepts less.
const WHOLE: u64 = 64 * 1024;
/// How long reading the body may take.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
const VIEWER_ADDRESS: HeaderName = HeaderName::from_static("cloudfront-viewer-address");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Logs a line for every request, with status and duration; for a WebSocket when it opens.
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

/// Sets the headers that identify the viewer, as CloudFront does: they replace whatever the browser claims.
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

/// Restricts the mailbox and the switches to this computer, even if the pages are served to the network: whoever reads
/// the mail can sign in as anybody. Host names other than this computer's are refused, because a malicious site could
/// point its own name here.
pub async fn only_this_computer(request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    let remote = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let near = remote.is_some_and(|remote| remote.is_loopback()) || extensions.get::<FromThisComputer>().is_some();
    let ours = extensions.get::<Site>().is_some();
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let same_site =
        request.headers().get(HeaderName::from_static("sec-fetch-site")).is_none_or(|site| site != "cross-site");
    let reading = request.method().is_safe();
    if near && (ours || is_this_computer(host)) && (reading || same_site) {
        return next.run(request).await;
    }
    let text =
        "The mailbox and the switches are available only on the computer that runs PeerSync, at its own addresses.\n";
    (StatusCode::FORBIDDEN, text).into_response()
}

fn is_this_computer(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "127.0.0.1" | "[::1]") || is_localhost(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_host_names_of_this_computer_are_accepted() {
        for host in ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", "[::1]", "peersync.localhost:8080"] {
            assert!(is_this_computer(host), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example:8080", "192.168.1.7:8080"] {
            assert!(!is_this_computer(host), "{host}");
        }
    }
}
