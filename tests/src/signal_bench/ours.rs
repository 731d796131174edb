//! The signaling server as a separate process: the library that `signal` runs, with more connections and a higher rate
//! than people are allowed, because the load comes from few addresses and few clients.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use peersync_server::clock::Clock;
use peersync_server::secrets::{LiveSecrets, Secret, Secrets};
use peersync_server::settings::Settings;
use peersync_server::store::Store;
use peersync_server::tickets::{Bearer, TicketKeys};
use peersync_signal::limits::Pace;
use peersync_signal::{Limits, Parts, Server, bind, serve};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// The origin of the pages.
pub const ORIGIN: &str = "https://bench.example";
const STACK: &str = "peersync-bench";

/// Returns the ticket keys. They are public, because they protect nothing outside of the benchmark.
pub fn keys() -> TicketKeys {
    secrets().ticket_keys(STACK, 0).expect("32 bytes")
}

fn secrets() -> Secrets {
    Secrets { ticket_key: Some(Secret::new("A".repeat(43))), ..Secrets::default() }
}

/// Returns a guest's ticket for a room.
pub fn ticket(keys: &TicketKeys, room: &str) -> String {
    issue(keys, "guest:bench", true, room)
}

/// Returns a user's ticket for a room.
pub fn user_ticket(keys: &TicketKeys, email: &str, room: &str) -> String {
    issue(keys, email, false, room)
}

fn issue(keys: &TicketKeys, subject: &str, guest: bool, room: &str) -> String {
    let (subject, name) = (subject.into(), "Bench".into());
    let bearer =
        Bearer { subject, address: None, name, guest, generation: None, session: None, room: Some(room.into()) };
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
    keys.issue(bearer, i64::try_from(now).expect("before the end of time")).expect("signed")
}

/// Serves on `port` until SIGTERM, then drains. In its database every room exists, and all users are friends.
pub async fn run(port: u16) {
    let settings = Settings::from_variables(|name| match name {
        "PEERSYNC_STACK" => Some(STACK.into()),
        "SITE_URL" => Some(ORIGIN.into()),
        _ => None,
    });
    let settings = settings.expect("the settings are complete");
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("bench", "bench", None, None, "bench"))
        .retry_config(aws_sdk_dynamodb::config::retry::RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(database().await)
        .build();
    let store = Arc::new(Store::new(aws_sdk_dynamodb::Client::from_conf(config), settings.tables.clone()));
    let free = Pace { burst: 1_000_000, every: Duration::from_millis(1) };
    let (connections, sessions) = (100_000, 100_000);
    let limits = Limits { burst: 100_000_000, connections, sessions, knocks_of_network: free, ..Limits::default() };
    let limits = Limits { used_tickets: 2 * sessions, used_reentries: sessions, ..limits };
    let secrets = Arc::new(LiveSecrets::fixed(secrets()));
    let parts = Parts { settings, secrets, store, limits, clock: Clock::default() };
    let server = Server::new(parts);
    let listener = bind(([127, 0, 0, 1], port).into()).expect("the port is free");
    let mut terminate = signal(SignalKind::terminate()).expect("a signal handler can be installed");
    let serving = tokio::spawn(serve(server.clone(), listener));
    terminate.recv().await;
    server.drain().await;
    serving.abort();
}

/// Starts a database that answers every look-up with an open room and a friendship, and returns its URL.
async fn database() -> String {
    let answer = |headers: HeaderMap| async move {
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        Json(match target {
            "DynamoDB_20120810.GetItem" => json!({ "Item": {
                "name": { "S": "Bench" }, "owner": { "S": "bench@example.org" },
                "createdAt": { "N": "0" }, "expiresAt": { "N": "9999999999" },
                "userEmail": { "S": "callee@bench.example" }, "targetEmail": { "S": "caller@bench.example" },
                "status": { "S": "accepted" }, "timestamp": { "N": "0" },
            } }),
            _ => json!({ "Responses": {} }),
        })
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound socket"));
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(answer))).await });
    url
}
