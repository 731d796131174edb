//! What people get through CloudFront, by a double that follows the distribution as `up` has configured it: no error of
//! another person's request, our own page for what does not exist, and whole releases of the pages.
//!
//! Needs: python

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_cloudfront::types::DistributionConfig;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use peersync_tests::edge::{Edge, Served};
use peersync_tests::emulator::Emulator;
use peersync_tests::stage::Stage;
use tokio::net::TcpListener;

async fn up() -> (Stage, DistributionConfig) {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let cloudfront = &stage.clients.cloudfront;
    let list = cloudfront.list_distributions().send().await.unwrap().distribution_list.unwrap();
    let id = list.items().first().expect("the stack has a distribution").id();
    let config = cloudfront.get_distribution_config().id(id).send().await.unwrap().distribution_config.unwrap();
    (stage, config)
}

/// A server that fails once with this status, and then works; with the number of its requests.
async fn fails_once(path: &str, status: StatusCode) -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&count);
    let answer = move || async move {
        match asked.fetch_add(1, Ordering::SeqCst) {
            0 => (status, [("cache-control", "no-store")], "somebody's error"),
            _ => (StatusCode::OK, [("cache-control", "no-store")], "works"),
        }
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route(path, get(answer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, count)
}

/// Asks twice at the same moment and returns both statuses.
async fn twice(edge: &Edge<'_>, path: &str) -> [u16; 2] {
    [edge.get(path).await.status, edge.get(path).await.status]
}

#[tokio::test(flavor = "multi_thread")]
async fn error_of_one_request_is_not_the_answer_to_the_next() {
    let (stage, config) = up().await;
    for (path, origin) in [("/api/me", "api"), ("/ws", "signal")] {
        for status in [404, 500, 502, 503, 504] {
            let (server, count) = fails_once(path, StatusCode::from_u16(status).unwrap()).await;
            let edge = Edge::new(config.clone(), &stage.clients, [(origin, server)]);
            assert_eq!(twice(&edge, path).await, [status, 200], "{path}");
            assert_eq!(edge.get(path).await.body, "works");
            assert_eq!(count.load(Ordering::SeqCst), 3, "no answer of {path} is kept");
        }
    }
}

/// Shows that the double keeps what CloudFront keeps, so that the test above can fail.
#[tokio::test(flavor = "multi_thread")]
async fn edge_without_our_settings_serves_an_error_for_ten_seconds() {
    let (stage, mut config) = up().await;
    config.custom_error_responses = None;
    for (path, origin, status) in [("/api/me", "api", 500), ("/ws", "signal", 502)] {
        let (server, _) = fails_once(path, StatusCode::from_u16(status).unwrap()).await;
        let edge = Edge::new(config.clone(), &stage.clients, [(origin, server)]);
        assert_eq!(twice(&edge, path).await, [status, status]);
        edge.advance(Duration::from_secs(10));
        assert_eq!(edge.get(path).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn host_that_is_replaced_is_reached_as_soon_as_it_is_there() {
    let (stage, config) = up().await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (address, url) = (listener.local_addr().unwrap(), format!("http://{}", listener.local_addr().unwrap()));
    drop(listener);
    let edge = Edge::new(config, &stage.clients, [("signal", url)]);
    assert_eq!(edge.get("/ws").await.status, 502, "nobody listens");
    let listener = TcpListener::bind(address).await.unwrap();
    let app = Router::new().route("/ws", get(|| async { "the new host" }));
    tokio::spawn(async move { axum::serve(listener, app).await });
    assert_eq!(edge.get("/ws").await.body, "the new host");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_our_page_with_status_404() {
    let (stage, config) = up().await;
    let edge = Edge::new(config, &stage.clients, []);
    for path in ["/nothing-here", "/js/nothing.js", "/r/0123456789abcdef/main.js"] {
        let Served { status, body, .. } = edge.get(path).await;
        assert_eq!(status, 404, "{path}");
        assert!(body.contains("data-page=\"missing\""), "{path}: {body}");
    }
    // A page that is published later is there at once.
    let put = stage.clients.s3.put_object().bucket(stage.bucket()).key("nothing-here").body(b"now".to_vec().into());
    put.send().await.unwrap();
    let now = edge.get("/nothing-here").await;
    assert_eq!((now.status, now.body.as_str()), (200, "now"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_revalidated_and_what_they_name_stays_in_the_cache() {
    let (stage, config) = up().await;
    let edge = Edge::new(config, &stage.clients, []);
    let page = edge.get("/").await.body;
    let script = stage.key_of("main.js").await;
    assert!(page.contains(&format!("src=\"/{script}\"")), "{page}");
    let script = format!("/{script}");
    assert_eq!(edge.get(&script).await.cache_control, "public, max-age=31536000, immutable");
    edge.advance(Duration::from_secs(300 * 86_400));
    assert!(edge.get(&script).await.from_cache);
    assert!(!edge.get("/").await.from_cache);
}
