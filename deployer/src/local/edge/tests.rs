#![allow(clippy::unwrap_used, reason = "a panic here fails the test")]

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH};
use axum::http::{Request, Response};
use axum::routing::get as getting;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::ServiceExt as _;

use super::*;

struct Edge {
    app: Router,
    _folder: tempfile::TempDir,
}

impl Edge {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("index.html"), "<html><head></head>start</html>").unwrap();
        let echo = getting(|headers: axum::http::HeaderMap| async move {
            let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned();
            format!("{} {}", value("x-peersync-origin-key"), value("x-forwarded-for"))
        });
        let app = router(Upstreams {
            api: Router::new().route("/health", echo),
            signaling: Router::new().route("/ws", getting(|| async { "socket" })),
            mailbox: peersync_mailbox::router(Arc::default()),
            mail_key: None,
            pages: Pages { source: Source::Folder(folder.path().to_owned()), config_json: "{}".into() },
            reload: None,
            conditions: Arc::new(Conditions::new(Settings::default())),
            origin_key: HeaderValue::from_static("key"),
        });
        Self { app, _folder: folder }
    }

    async fn ask(&self, request: Request<Body>) -> Response<Body> {
        self.app.clone().oneshot(request).await.unwrap()
    }
}

fn request(method: &str, path: &str, from: [u8; 4]) -> Request<Body> {
    let mut request =
        Request::builder().method(method).uri(path).header("host", "localhost:8080").body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((from, 40_000))));
    request
}

fn get_request(path: &str) -> Request<Body> {
    request("GET", path, [127, 0, 0, 1])
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn root_is_the_start_page_with_the_distributions_headers() {
    let edge = Edge::new();
    let response = edge.ask(get_request("/")).await;
    assert_eq!(response.status(), 200);
    for (name, value) in peersync_resources::security_headers::all(&[]) {
        assert_eq!(response.headers().get(name).unwrap(), value.as_str());
    }
    let tag = response.headers().get(ETAG).unwrap().clone();
    assert!(text(response).await.contains("start"));
    let mut again = get_request("/");
    again.headers_mut().insert(IF_NONE_MATCH, tag);
    let response = edge.ask(again).await;
    assert_eq!(response.status(), 304);
    assert_eq!(text(response).await, "");
}

#[tokio::test]
async fn unknown_pages_and_methods_are_refused_with_headers() {
    let edge = Edge::new();
    for (method, path, status) in [("GET", "/nothing.html", 404), ("GET", "/%2e%2e/x", 404), ("POST", "/", 405)] {
        let response = edge.ask(request(method, path, [127, 0, 0, 1])).await;
        assert_eq!(response.status(), status, "{method} {path}");
        assert!(response.headers().contains_key(CONTENT_SECURITY_POLICY));
    }
    let response = edge.ask(request("HEAD", "/", [127, 0, 0, 1])).await;
    assert_ne!(response.headers().get("content-length").unwrap(), "0");
    assert_eq!(text(response).await, "");
}

#[tokio::test]
async fn client_address_comes_from_the_edge_only() {
    let edge = Edge::new();
    let mut forged = request("GET", "/api/health", [192, 168, 1, 7]);
    forged.headers_mut().insert("x-forwarded-for", HeaderValue::from_static("10.0.0.1"));
    forged.headers_mut().insert("x-peersync-origin-key", HeaderValue::from_static("guess"));
    assert_eq!(text(edge.ask(forged).await).await, "key 192.168.1.7");
    assert_eq!(text(edge.ask(get_request("/ws")).await).await, "socket");
    assert_eq!(text(edge.ask(get_request("/config.json")).await).await, "{}");
}

#[tokio::test]
async fn mailbox_and_switches_are_only_for_this_computer() {
    let edge = Edge::new();
    for path in ["/_mail", "/_mail/messages.json", "/_network"] {
        assert_eq!(edge.ask(get_request(path)).await.status(), 200, "{path}");
        assert_eq!(edge.ask(request("GET", path, [192, 168, 1, 7])).await.status(), 403, "{path}");
        let mut rebound = get_request(path);
        rebound.headers_mut().insert("host", HeaderValue::from_static("evil.example"));
        assert_eq!(edge.ask(rebound).await.status(), 403, "{path}");
    }
    let mut foreign = request("POST", "/_network/kill-signaling", [127, 0, 0, 1]);
    foreign.headers_mut().insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
    assert_eq!(edge.ask(foreign).await.status(), 403);
}

#[tokio::test]
async fn switches_can_be_set_and_read() {
    let edge = Edge::new();
    let set = |body: &str| {
        let mut request = request("PUT", "/_network", [127, 0, 0, 1]);
        request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
        *request.body_mut() = Body::from(body.to_owned());
        request
    };
    assert_eq!(edge.ask(set(r#"{"latency_ms": 20}"#)).await.status(), 200);
    let shown = text(edge.ask(get_request("/_network")).await).await;
    assert_eq!(shown, r#"{"latency_ms":20,"drop":0.0,"kill_signaling_every_ms":0}"#);
    assert_eq!(edge.ask(set(r#"{"latency": 20}"#)).await.status(), 422);
}

#[tokio::test]
async fn connection_survives_a_refusal_before_the_body() {
    let refuse = axum::routing::post(|| async { StatusCode::UNAUTHORIZED });
    let app = Router::new().route("/", refuse).layer(middleware::from_fn(requests::with_body));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut client = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    for _ in 0..3 {
        client.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n").await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        client.write_all(b"body").await.unwrap();
        let mut answer = [0; 24];
        client.read_exact(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 401"));
        let mut rest = Vec::new();
        while !rest.ends_with(b"\r\n\r\n") {
            rest.push(client.read_u8().await.unwrap());
        }
    }
}

#[tokio::test]
async fn silent_connections_delay_nobody() {
    /// More than the listener's places, and than the kernel's queue behind them.
    const SILENT: usize = 1100;
    rlimit::increase_nofile_limit(4096).unwrap();
    let edge = Edge::new();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let conditions = Arc::new(Conditions::new(Settings::default()));
    tokio::spawn(serve(listener, Listening { app: edge.app.clone(), tls: None, conditions }, stop.clone()));
    let mut victim = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut silent = Vec::new();
    for number in 0..SILENT {
        silent.push(tokio::net::TcpStream::connect(address).await.unwrap());
        // The victim's browser keeps its connection, and asks from time to time.
        if number % 100 == 0 {
            assert_eq!(ask_over(&mut victim).await, "HTTP/1.1 200 OK");
        }
    }
    assert_eq!(ask_over(&mut victim).await, "HTTP/1.1 200 OK");
    let mut newcomer = tokio::net::TcpStream::connect(address).await.unwrap();
    assert_eq!(ask_over(&mut newcomer).await, "HTTP/1.1 200 OK");
    // They were answered although the last silent ones are still open, and not because their time was over.
    let open = |stream: &tokio::net::TcpStream| {
        stream.try_read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    assert!(silent.iter().rev().take(400).all(open), "a newer silent connection was closed");
    // The others have given way.
    for stream in silent.iter_mut().take(SILENT - 600) {
        assert!(!matches!(stream.read(&mut [0]).await, Ok(1..)));
    }
    stop.cancel();
}

/// Asks for the start page over a connection, and returns the first line of the answer.
async fn ask_over(stream: &mut tokio::net::TcpStream) -> String {
    stream.write_all(b"HEAD / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(answer).unwrap().lines().next().unwrap().to_owned()
}
