//! The middleware around every handler: checks the origin, answers preflights, sets cookies and headers, and logs one
//! line.

use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument as _;

use crate::caller::{RequestId, SetCookies};
use crate::error::{ApiError, ApiResult};
use crate::routes::routes;
use crate::state::State;
use peersync_server::site::Site;

/// How long a browser may cache the response to a preflight, in seconds.
const PREFLIGHT_SECONDS: &str = "600";

/// Runs a request through the middleware.
pub(crate) async fn guard(state: State, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = request.extensions().get::<RequestId>().map_or_else(random_id, |id| id.0.clone());
    let (method, route) = (request.method().clone(), route_of(request.uri().path()));
    let span = tracing::info_span!("request", request_id = %id, %method, route);
    let origin = request.headers().get(header::ORIGIN).cloned();
    let cookies = SetCookies::default();
    request.extensions_mut().insert(cookies.clone());
    let site = Site::of(state.settings(), request.extensions().get());
    request.extensions_mut().insert(site.clone());
    let allows = |origin: &str| site.allows(state.settings(), origin);
    let answer = async {
        let mut response = match check(allows, request.method(), request.headers()) {
            Err(error) => error.into_response(),
            Ok(()) if request.method() == Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
            Ok(()) => futures::join!(next.run(request), state.refresh_secrets()).0,
        };
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(status = response.status().as_u16(), milliseconds, "answered");
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, methods_of(route));
        }
        finish(allows, origin.as_ref(), &method, response.headers_mut());
        cookies.move_into(response.headers_mut());
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
        }
        response
    };
    answer.instrument(span).await
}

/// Checks the origin. Browsers send it with every request that changes state. A request without one does not come from
/// a page, unless `sec-fetch-site` says that it does.
fn check(allows: impl Fn(&str) -> bool, method: &Method, headers: &HeaderMap) -> ApiResult<()> {
    if *method == Method::GET || *method == Method::HEAD {
        return Ok(());
    }
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("null"));
    let allowed = match text(header::ORIGIN) {
        Some(origin) => allows(origin),
        None => matches!(text(HeaderName::from_static("sec-fetch-site")), None | Some("same-origin" | "none")),
    };
    if allowed { Ok(()) } else { Err(ApiError::origin()) }
}

/// Sets the headers of every response.
fn finish(allows: impl Fn(&str) -> bool, origin: Option<&HeaderValue>, method: &Method, headers: &mut HeaderMap) {
    let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    set(header::CACHE_CONTROL, "no-store");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::VARY, "origin");
    let Some(origin) = origin.filter(|origin| origin.to_str().is_ok_and(allows)) else { return };
    set(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    set(header::ACCESS_CONTROL_EXPOSE_HEADERS, "retry-after, x-request-id");
    if *method == Method::OPTIONS {
        set(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PATCH, DELETE");
        set(header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type");
        set(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
}

/// Returns the route's pattern for the log: the path itself may contain an address.
fn route_of(path: &str) -> &'static str {
    let fits = |pattern: &str| {
        let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
        loop {
            match (pattern.next(), path.next()) {
                (None, None) => return true,
                (Some(pattern), Some(part)) if pattern == part || pattern.starts_with('{') => {}
                _ => return false,
            }
        }
    };
    routes().iter().map(|route| route.path.as_str()).find(|pattern| fits(pattern)).unwrap_or("(none)")
}

/// Returns the value of `Allow` (RFC 9110, section 15.5.6).
fn methods_of(route: &str) -> HeaderValue {
    let methods = routes().iter().filter(|known| known.path == route).map(|known| known.method);
    let methods: Vec<&str> = methods.chain(["OPTIONS"]).collect();
    HeaderValue::from_str(&methods.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"))
}

fn random_id() -> String {
    hex::encode(rand::random::<[u8; 8]>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_shows_the_pattern_instead_of_the_path() {
        assert_eq!(route_of("/friends/ada@example.org"), "/friends/{email}");
        assert_eq!(route_of("/friends"), "/friends");
        assert_eq!(route_of("/friends/a/b"), "(none)");
        assert_eq!(route_of("/login/verify"), "/login/verify");
        assert_eq!(route_of("/secret@example.org"), "(none)");
    }
}
