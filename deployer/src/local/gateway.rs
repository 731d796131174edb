//! The API, if the emulator runs it: forwards every request to the gateway's data plane, as CloudFront does.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, HOST, ORIGIN, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use peersync_aws::Http;
use peersync_server::site::Site;
use tracing::warn;

use super::LocalError;

/// The longest body that is forwarded, in bytes; the API itself accepts far less.
const BODY: usize = 1024 * 1024;
/// How long a request may take: the gateway's own limit of 29 s and one second more.
const DEADLINE: Duration = Duration::from_secs(30);

/// The data plane of a REST API.
#[derive(Clone, Debug)]
struct Gateway {
    client: reqwest::Client,
    /// `{endpoint}/restapis/{id}/{stage}/_user_request_`, as in LocalStack and MiniStack.
    base: String,
    /// The origin of the pages that the functions know.
    site_url: HeaderValue,
}

/// Returns the routes of the API, all of which are forwarded.
///
/// # Errors
/// Fails if the HTTP client cannot be created.
pub fn router(
    http: &Http,
    endpoint_url: &str,
    api_id: &str,
    stage: &str,
    site_url: &str,
) -> Result<Router, LocalError> {
    let client = http.direct(DEADLINE).map_err(|error| LocalError::part("the gateway client", error))?;
    let base = format!("{}/restapis/{api_id}/{stage}/_user_request_", endpoint_url.trim_end_matches('/'));
    let site_url = site_url.parse().map_err(|error| LocalError::part("the gateway client", error))?;
    Ok(Router::new().fallback(forward).with_state(Gateway { client, base, site_url }))
}

async fn forward(State(gateway): State<Gateway>, request: Request) -> Response {
    match gateway.forward(request).await {
        Ok(response) => response,
        Err(Refusal::TooLong) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(Refusal::Gateway(error)) => {
            warn!(target: "edge", error = %error.without_url(), "the gateway did not answer");
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

/// Why a request got no answer from the API.
enum Refusal {
    TooLong,
    Gateway(reqwest::Error),
}

impl Gateway {
    async fn forward(&self, request: Request) -> Result<Response, Refusal> {
        let (mut parts, body) = request.into_parts();
        // The functions know the pages by one origin only; the edge has verified this one.
        let site = parts.extensions.get::<Site>().map(Site::origin);
        if site.is_some_and(|site| parts.headers.get(ORIGIN).is_some_and(|origin| origin == site)) {
            parts.headers.insert(ORIGIN, self.site_url.clone());
        }
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let body = to_bytes(body, BODY).await.map_err(|_| Refusal::TooLong)?;
        let answer = self
            .client
            .request(parts.method, format!("{}{path}", self.base))
            .headers(end_to_end(parts.headers))
            .body(body)
            .send()
            .await
            .map_err(Refusal::Gateway)?;
        let (status, headers) = (answer.status(), end_to_end(answer.headers().clone()));
        let body = answer.bytes().await.map_err(Refusal::Gateway)?;
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

/// Removes the headers that concern only the connection and not its two ends.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [HOST, CONNECTION, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic here fails the test")]
    use axum::http::{Method, Uri};
    use tower::ServiceExt as _;

    use super::*;

    async fn upstream() -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let echo = |method: Method, uri: Uri, headers: HeaderMap, body: String| async move {
            let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned();
            let text = format!("{method} {uri} {} {} {body}", value("cookie"), value("origin"));
            (StatusCode::ACCEPTED, [("set-cookie", "a=b")], text)
        };
        let stand_in = Router::new().fallback(echo);
        tokio::spawn(async move { axum::serve(listener, stand_in).await });
        format!("http://{address}/")
    }

    #[tokio::test]
    async fn method_path_query_headers_and_body_are_forwarded() {
        let router = router(&Http::default(), &upstream().await, "abc", "api", "http://localhost:8080").unwrap();
        let request = Request::builder()
            .method("POST")
            .uri("/users?query=a%20b")
            .header("cookie", "c=d")
            .header("host", "localhost:8080")
            .body(Body::from("{}"))
            .unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        assert_eq!(response.headers().get("set-cookie").unwrap(), "a=b");
        let text = to_bytes(response.into_body(), BODY).await.unwrap();
        assert_eq!(text, "POST /restapis/abc/api/_user_request_/users?query=a%20b c=d - {}");
    }

    #[tokio::test]
    async fn functions_get_the_origin_that_they_know_from_our_own_pages_only() {
        let router = router(&Http::default(), &upstream().await, "abc", "api", "http://localhost:8080").unwrap();
        for (origin, forwarded) in
            [("http://192.168.1.7:8080", "http://localhost:8080"), ("http://evil.example", "http://evil.example")]
        {
            let request = Request::builder().uri("/me").header("origin", origin);
            let mut request = request.body(Body::empty()).unwrap();
            request.extensions_mut().insert(Site::new("http://192.168.1.7:8080"));
            let body = router.clone().oneshot(request).await.unwrap().into_body();
            let text = to_bytes(body, BODY).await.unwrap();
            assert_eq!(text, format!("GET /restapis/abc/api/_user_request_/me - {forwarded} "));
        }
    }

    #[tokio::test]
    async fn unreachable_gateway_is_a_502() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let router =
            router(&Http::default(), &format!("http://{address}"), "abc", "api", "http://localhost:8080").unwrap();
        let request = Request::builder().uri("/health").body(Body::empty()).unwrap();
        assert_eq!(router.oneshot(request).await.unwrap().status(), StatusCode::BAD_GATEWAY);
    }
}
