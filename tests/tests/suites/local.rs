//! `local` embedded, as a process: what it serves and keeps, its errors if it cannot start, and how it ends.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use peersync_tests::deployer::{Run, command, run};
use peersync_tests::http::client;
use peersync_tests::product::Product;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// Arguments for a free port, independent of what else runs on this computer.
const EMBEDDED: [&str; 3] = ["--embedded", "--port", "0"];

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder for temporary files")
}

async fn start(folder: &Path, more: &[&str]) -> Product {
    Product::start(folder, &[&EMBEDDED, more].concat()).await
}

/// Runs a `local` that cannot start, with output for people.
async fn refused(folder: &Path, arguments: &[&str]) -> Run {
    let all = [&["--output", "human", "local"], arguments].concat();
    run(command(folder, &all)).await
}

/// Asserts that the run reports one error, with its fix.
#[track_caller]
fn assert_refused(run: &Run, code: i32, what: &str, fix: &str) {
    let text = run.printed();
    // Lines are wrapped at the terminal's width.
    let flat = text.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(run.code, Some(code), "{text}");
    assert!(flat.contains(what), "`{what}` is missing:\n{text}");
    assert!(flat.contains(fix), "the fix `{fix}` is missing:\n{text}");
    assert!(!flat.contains("panicked") && !flat.contains("ready after"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_folder_serves_the_whole_product() {
    let folder = folder();
    let product = start(folder.path(), &[]).await;
    let page = product.get("/").await.expect(200);
    assert!(page.text.contains("PeerSync") && page.headers.contains_key("content-security-policy"), "{page:?}");
    assert_eq!(product.get("/config.json").await.expect(200).json()["signal"], "/ws");
    assert_eq!(product.get("/api/health").await.expect(200).json()["status"], "ok");
    assert!(product.get("/_mail").await.expect(200).text.contains("<html"));
    product.get("/nowhere.html").await.expect(404);
    let cookie = product.sign_in("Ada", "ada@example.org").await;
    assert_eq!(product.call("GET", "/api/me", &cookie, None).await.expect(200).json()["name"], "Ada");
    assert!(folder.path().join(".peersync").is_dir(), "the data lies under .peersync");
    product.interrupt().await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn restart_keeps_sign_ins_and_rooms() {
    let folder = folder();
    let product = start(folder.path(), &[]).await;
    let cookie = product.sign_in("Ada", "ada@example.org").await;
    let room = product.call("POST", "/api/create-room", &cookie, Some(json!({ "name": "Harbour" }))).await.expect(201);
    let (room, port) = (format!("/api/room/{}", room.json()["id"].as_str().expect("an id")), product.port());
    product.interrupt().await.expect(0);

    let product = Product::start(folder.path(), &["--embedded", "--port", &port]).await;
    assert_eq!(product.call("GET", "/api/me", &cookie, None).await.expect(200).json()["email"], "ada@example.org");
    assert_eq!(product.get(&room).await.expect(200).json()["name"], "Harbour");
    product.interrupt().await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ephemeral_leaves_no_files() {
    let folder = folder();
    let product = start(folder.path(), &["--ephemeral"]).await;
    let cookie = product.sign_in("Ada", "ada@example.org").await;
    product.interrupt().await.expect(0);
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0);
    let product = start(folder.path(), &["--ephemeral"]).await;
    product.call("GET", "/api/me", &cookie, None).await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_users_can_sign_in_and_are_friends() {
    let folder = folder();
    let product = start(folder.path(), &["--ephemeral", "--seed", "demo"]).await;
    let people: Vec<_> = product.before.iter().filter(|event| event["event"] == "person").collect();
    assert!(people.len() >= 2, "{people:?}");
    for person in &people {
        let token = person["link"].as_str().and_then(|link| link.split("#token=").nth(1)).expect("a link");
        let body = json!({ "token": token, "match": person["number"] });
        let cookie = product.call("POST", "/api/login/verify", "", Some(body)).await.expect(200).cookie();
        let friends = product.call("GET", "/api/friends", &cookie, None).await.expect(200).json();
        assert_eq!(friends["friends"].as_array().map(Vec::len), Some(people.len() - 1), "{friends}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn saved_page_reloads_the_browser() {
    let folder = folder();
    let assets = folder.path().join("pages");
    fs::create_dir(&assets).expect("a folder");
    fs::write(assets.join("index.html"), "<html><head></head><body>one</body></html>").expect("a page");
    let product = start(folder.path(), &["--ephemeral", "--assets", "pages"]).await;
    let page = product.get("/").await.expect(200).text;
    assert!(page.contains("one") && page.contains("/_live/reload.js"), "{page}");
    let mut events = client().get(format!("{}/_live/events", product.url())).send().await.expect("an event stream");
    fs::write(assets.join("index.html"), "<html><head></head><body>two</body></html>").expect("a page");
    let event = events.chunk().await.expect("the stream stays open").expect("an event");
    assert!(event.starts_with(b"data:"), "{event:?}");
    assert!(product.get("/").await.expect(200).text.contains("two"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_network_is_emulated_on_demand() {
    let folder = folder();
    let product = start(folder.path(), &["--ephemeral", "--latency", "300ms"]).await;
    let begin = Instant::now();
    product.get("/api/health").await.expect(200);
    assert!(begin.elapsed() >= Duration::from_millis(300), "{:?}", begin.elapsed());
    product.interrupt().await.expect(0);
    let product = start(folder.path(), &["--ephemeral", "--drop", "1"]).await;
    assert!(client().get(format!("{}/api/health", product.url())).send().await.is_err());
    product.get("/").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_leaves_no_lock_and_no_listener() {
    let folder = folder();
    let product = start(folder.path(), &[]).await;
    let (port, pid) = (product.port(), product.pid());
    // An open page does not delay the end.
    let stream = client().get(format!("{}/_mail/events", product.url())).send().await;
    product.interrupt().await.expect(0);
    drop(stream);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    let again = Product::start(folder.path(), &["--embedded", "--port", &port]).await;
    again.interrupt().await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn port_in_use_is_reported() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = taken.local_addr().expect("it listens").port().to_string();
    let run = refused(folder.path(), &["--embedded", "--port", &port]).await;
    assert_refused(&run, 1, &format!("port {port} is already in use"), "--port 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_folder_in_use_is_reported() {
    let folder = folder();
    let product = start(folder.path(), &[]).await;
    let run = refused(folder.path(), &EMBEDDED).await;
    assert_refused(&run, 1, &format!("is in use by process {} at {}", product.pid(), product.url()), "--ephemeral");
    product.get("/api/health").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_database_is_reported() {
    let folder = folder();
    let product = start(folder.path(), &[]).await;
    product.sign_in("Ada", "ada@example.org").await;
    product.interrupt().await.expect(0);
    let file = folder.path().join(".peersync/dynamodb.sqlite");
    // SQLite would repair the database from these.
    for companion in ["dynamodb.sqlite-wal", "dynamodb.sqlite-shm"] {
        let _ = fs::remove_file(file.with_file_name(companion));
    }
    let mut bytes = fs::read(&file).expect("the database");
    bytes.iter_mut().for_each(|byte| *byte = byte.wrapping_add(85));
    fs::write(&file, &bytes).expect("the database can be written");
    let run = refused(folder.path(), &EMBEDDED).await;
    assert_refused(&run, 1, "is damaged", "--ephemeral");
    assert_eq!(fs::read(&file).expect("the database"), bytes, "nothing more is lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_or_hanging_endpoint_is_reported() {
    let folder = folder();
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", free.local_addr().expect("it listens"));
    drop(free);
    let run = refused(folder.path(), &["--endpoint-url", &url, "--port", "0"]).await;
    assert_refused(&run, 1, &format!("the endpoint {url} does not answer"), "--embedded");

    // It lists its services, and fails at the first call.
    let health = r#"{"services": {"s3": "running", "dynamodb": "running", "sts": "running", "ssm": "running"}}"#;
    let url = endpoint(Router::new().route("/_localstack/health", get(move || async move { health }))).await;
    let run = refused(folder.path(), &["--endpoint-url", &url, "--port", "0"]).await;
    assert_refused(&run, 1, &format!("the endpoint {url} does not answer"), "--embedded");
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoint_without_licence_is_reported() {
    let folder = folder();
    let text = r#"{"message": "License activation failed! Reason: no token"}"#;
    let url = endpoint(Router::new().route("/_localstack/health", get(move || async move { text }))).await;
    let run = refused(folder.path(), &["--endpoint-url", &url, "--port", "0"]).await;
    assert_refused(&run, 1, "no valid licence", "LOCALSTACK_AUTH_TOKEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_configuration_is_reported() {
    let folder = folder();
    fs::write(folder.path().join("peersync.toml"), "[signaling]\nroom_capacty = 4\n").expect("a file");
    let run = refused(folder.path(), &EMBEDDED).await;
    assert_refused(&run, 2, "room_capacty", "room_capacity");
}

#[tokio::test(flavor = "multi_thread")]
async fn folder_without_pages_is_reported() {
    let folder = folder();
    let run = refused(folder.path(), &[&EMBEDDED[..], &["--assets", "nowhere"]].concat()).await;
    assert_refused(&run, 1, "has no index.html", "--assets");
}

/// A recorded server on a free port.
async fn endpoint(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}
