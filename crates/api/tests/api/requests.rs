//! Invalid requests, requests from pages of other origins, and the client's address.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::json;

use crate::support::{ORIGIN_KEY, SITE, World, address, refused, with_mail_total};

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let builder = Request::builder().method(method).uri(path);
    headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value)).body(body.into()).unwrap()
}

/// Method, path, headers, body; expected status and error code.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], Vec<u8>, u16, &'a str);

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn every_kind_of_bad_input_gets_its_error() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    let huge = format!("{{\"email\":\"{}\"}}", "a".repeat(10 * 1024 * 1024));
    let deep = format!("{{\"email\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    let long = format!("{{\"email\":\"{}@example.org\"}}", "a".repeat(300));
    let cases: Vec<Case<'_>> = vec![
        ("POST", "/login", &[JSON], b"not json".to_vec(), 400, "bad_json"),
        ("POST", "/login", &[JSON], b"{\"email\":".to_vec(), 400, "bad_json"),
        ("POST", "/login", &[JSON], b"\xff\xfe".to_vec(), 400, "bad_json"),
        ("POST", "/login", &[JSON], b"{\"email\":\"\xc3\x28@example.org\"}".to_vec(), 400, "bad_json"),
        ("POST", "/login", &[JSON], b"[]".to_vec(), 400, "bad_field"),
        ("POST", "/login", &[JSON], b"null".to_vec(), 400, "bad_field"),
        ("POST", "/login", &[JSON], b"{}".to_vec(), 400, "bad_field"),
        ("POST", "/login", &[JSON], b"{\"email\":1}".to_vec(), 400, "bad_field"),
        ("POST", "/login", &[JSON], b"{\"email\":null}".to_vec(), 400, "bad_field"),
        ("POST", "/login", &[JSON], b"{\"email\":\"x\"}".to_vec(), 400, "email"),
        ("POST", "/login", &[JSON], b"{\"email\":\"a@b.org\\r\\nBcc: e@b.org\"}".to_vec(), 400, "email"),
        ("POST", "/login", &[JSON], long.into_bytes(), 400, "email"),
        ("POST", "/login", &[JSON], deep.into_bytes(), 400, "bad_field"),
        ("POST", "/login", &[JSON], huge.into_bytes(), 413, "too_large"),
        ("POST", "/login", &[("content-type", "text/plain")], b"{}".to_vec(), 415, "not_json"),
        ("POST", "/login", &[], b"{\"email\":\"a@b.org\"}".to_vec(), 415, "not_json"),
        ("POST", "/signup", &[JSON], b"{\"name\":\"\",\"email\":\"a@b.org\"}".to_vec(), 400, "name"),
        ("POST", "/login/verify", &[JSON], b"{}".to_vec(), 400, "bad_field"),
        ("POST", "/login/verify", &[JSON], b"{\"token\":\"\"}".to_vec(), 400, "token"),
        ("POST", "/login/verify", &[JSON], b"{\"token\":\"x\",\"match\":[]}".to_vec(), 400, "bad_field"),
        ("POST", "/login/verify", &[JSON], b"{\"email\":\"a@b.org\",\"code\":\"12345a\"}".to_vec(), 400, "code"),
        ("PATCH", "/me", &[JSON], b"{\"hidden\":\"yes\"}".to_vec(), 400, "bad_field"),
        (
            "POST",
            "/respond-friend-request",
            &[JSON],
            b"{\"token\":\"x\",\"action\":\"maybe\"}".to_vec(),
            400,
            "bad_field",
        ),
        ("POST", "/respond-friend-request", &[JSON], b"{\"token\":\"x\",\"action\":\"accept\"}".to_vec(), 400, "token"),
        ("GET", "/login", &[], Vec::new(), 405, "method_not_allowed"),
        ("PUT", "/me", &[JSON], b"{}".to_vec(), 405, "method_not_allowed"),
        ("GET", "/nothing", &[], Vec::new(), 404, "not_found"),
        ("GET", "/", &[], Vec::new(), 404, "not_found"),
        ("GET", "/api/health", &[], Vec::new(), 404, "not_found"),
    ];
    for (method, path, headers, body, status, code) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = ada.send(request(method, path, headers, body)).await;
        println!("{method} {path} {shown}");
        refused(&(answer.status, answer.body), status, code);
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers["content-type"], "application/json");
    }
    assert!(world.mailbox.take().is_empty());
}

#[tokio::test]
async fn private_routes_need_a_session() {
    let world = World::new().await;
    for (method, path) in [
        (Method::GET, "/me"),
        (Method::PATCH, "/me"),
        (Method::DELETE, "/me"),
        (Method::POST, "/logout"),
        (Method::GET, "/users?query=ada"),
        (Method::POST, "/send-friend-request"),
        (Method::GET, "/friends"),
        (Method::DELETE, "/friends/a@example.org"),
        (Method::GET, "/friend-requests"),
        (Method::POST, "/block"),
        (Method::POST, "/create-room"),
    ] {
        let body = (method == Method::POST || method == Method::PATCH).then(|| json!({}));
        refused(&world.browser().call(method, path, body).await, 401, "unauthorized");
    }
}

#[tokio::test]
async fn pages_of_other_origins_change_nothing() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    for headers in [
        &[JSON, ("origin", "https://evil.example")][..],
        &[JSON, ("origin", "null")],
        &[JSON, ("origin", "https://call.example.evil.example")],
        &[JSON, ("origin", "http://call.example")],
        &[JSON, ("origin", "https://call.example:8443")],
        &[JSON, ("sec-fetch-site", "cross-site")],
        &[JSON, ("sec-fetch-site", "same-site")],
    ] {
        for (method, path) in [("POST", "/logout"), ("DELETE", "/me"), ("PATCH", "/me"), ("POST", "/login")] {
            let answer = ada.send(request(method, path, headers, "{}")).await;
            refused(&(answer.status, answer.body), 403, "origin");
            assert!(!answer.headers.contains_key("access-control-allow-origin"));
        }
    }
    assert_eq!(ada.get("/me").await.0, StatusCode::OK);
    for headers in [&[JSON][..], &[JSON, ("origin", SITE)], &[JSON, ("origin", "https://app.example")]] {
        let answer = world.member("Bob").await.send(request("POST", "/logout", headers, "{}")).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
    }
}

#[tokio::test]
async fn preflight_is_answered_for_allowed_origins_only() {
    let world = World::new().await;
    let headers = |origin| [("origin", origin), ("access-control-request-method", "PATCH")];
    let answer = world.browser().send(request("OPTIONS", "/me", &headers("https://app.example"), "")).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(answer.headers["access-control-allow-origin"], "https://app.example");
    assert_eq!(answer.headers["access-control-allow-credentials"], "true");
    assert!(answer.headers["access-control-allow-methods"].to_str().unwrap().contains("PATCH"));
    assert_eq!(answer.headers["vary"], "origin");
    let answer = world.browser().send(request("OPTIONS", "/me", &headers("https://evil.example"), "")).await;
    refused(&(answer.status, answer.body), 403, "origin");
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

/// The mails for [`mails_from`]. One client gets 100 of them, 130 clients get one each.
pub const MAILS: i64 = 300;

/// How many sign-in mails a client address gets before it is rate limited.
pub async fn mails_from(world: &World, address_of: impl Fn(usize) -> Vec<(&'static str, String)>) -> usize {
    for count in 0..130 {
        let headers = address_of(count);
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).chain([JSON]).collect();
        let body = json!({ "email": address(&format!("x{count}")) }).to_string();
        let answer = world.browser().send(request("POST", "/login", &headers, body)).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            return count;
        }
        assert_eq!(answer.status, StatusCode::ACCEPTED);
    }
    130
}

#[tokio::test]
async fn client_address_cannot_be_forged() {
    let world = || World::with_limits(with_mail_total(MAILS));
    let spoofed = |count: usize| {
        vec![
            ("cloudfront-viewer-address", format!("198.51.{count}.7:1")),
            ("x-forwarded-for", format!("198.51.{count}.7")),
            ("x-peersync-origin-key", "guess".to_owned()),
        ]
    };
    assert_eq!(mails_from(&world().await, spoofed).await, 100);
    // What CloudFront and API Gateway append, the latter the address that it got the request from, after these entries.
    let behind_edge = |entries: String| {
        vec![
            ("cloudfront-viewer-address", "192.0.2.99:1".to_owned()),
            ("x-forwarded-for", format!("{entries}, 192.0.2.1")),
            ("x-peersync-origin-key", ORIGIN_KEY.to_owned()),
        ]
    };
    let many_viewers = |count: usize| behind_edge(format!("198.51.{count}.7"));
    assert_eq!(mails_from(&world().await, many_viewers).await, 130);
    let one_subscriber = |count: usize| behind_edge(format!("2001:db8:1:2::{count:x}"));
    assert_eq!(mails_from(&world().await, one_subscriber).await, 100);
    let own_entries = |count: usize| behind_edge(format!("198.51.{count}.7, 203.0.113.7"));
    assert_eq!(mails_from(&world().await, own_entries).await, 100);
    let own_viewer_header = |count: usize| {
        let mut headers = behind_edge("203.0.113.7".to_owned());
        headers[0].1 = format!("198.51.{count}.7:1");
        headers
    };
    assert_eq!(mails_from(&world().await, own_viewer_header).await, 100);
}

#[tokio::test]
async fn health_needs_no_dependencies() {
    let world = World::new().await;
    let answer = world.browser().send(request("GET", "/health", &[], "")).await;
    assert_eq!((answer.status, &answer.body["status"]), (StatusCode::OK, &json!("ok")));
    assert_eq!(answer.body["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(answer.body["build"].as_str().map(str::len), Some(64));
    assert!(answer.headers.contains_key("x-request-id"));
    assert!(world.calls.take().is_empty());
}

#[tokio::test]
async fn unavailable_database_is_reported_without_details() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    world.client.delete_table().table_name("peersync-test-Users").send().await.unwrap();
    let (status, body) = ada.get("/me").await;
    refused(&(status, body.clone()), 503, "unavailable");
    assert!(!body.to_string().contains("Users") && !body.to_string().contains("ResourceNotFound"), "{body}");
}
