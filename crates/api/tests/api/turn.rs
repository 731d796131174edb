//! The STUN and TURN servers of a ticket, by provider. Cloudflare is a double that behaves as documented
//! (<https://developers.cloudflare.com/realtime/turn/generate-credentials/>).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use peersync_api::Limits;
use peersync_server::clock::Clock;
use peersync_server::secrets::{LiveSecrets, SETTLED_SECONDS, Secret, Secrets};
use peersync_server::settings::{Settings, TurnProvider, TurnSettings};
use peersync_server::turn_credentials::{HolderKind, TURN_SECONDS, check_username, password};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Browser, Mailbox, NOW, World, secrets, settings};

const URLS: [&str; 2] = ["turn:h.example:3478?transport=udp", "turn:h.example:443?transport=tcp"];

/// A world with these TURN servers and secrets.
async fn world(turn: TurnSettings, secrets: Secrets) -> World {
    let settings = Settings { turn, ..settings() };
    let live = LiveSecrets::fixed(secrets);
    let limits = Limits::default();
    let mailbox = Arc::<Mailbox>::default();
    World::with_all(limits, Clock::fixed(NOW), live, settings, (mailbox, None)).await
}

fn of_host() -> TurnSettings {
    TurnSettings {
        provider: TurnProvider::Host,
        urls: URLS.map(str::to_owned).to_vec(),
        stun: vec!["stun:h.example:3478".to_owned()],
        ..TurnSettings::default()
    }
}

/// The servers of a ticket.
async fn ticket(browser: &mut Browser, request: Value) -> (Vec<Value>, i64) {
    let (status, body) = browser.post("/ticket", request).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(body["ticket"].is_string(), "{body}");
    (body["iceServers"].as_array().unwrap().clone(), body["ttl"].as_i64().unwrap())
}

/// The username and the password among the servers of a ticket.
fn credentials(servers: &[Value]) -> Option<(String, String)> {
    let turn = servers.iter().find(|server| server["username"].is_string())?;
    Some((turn["username"].as_str()?.to_owned(), turn["credential"].as_str()?.to_owned()))
}

#[tokio::test]
async fn hosts_relay_is_given_with_credentials_that_it_accepts() {
    let world = world(of_host(), secrets()).await;
    let mut ada = world.member("Ada").await;
    let (servers, ttl) = ticket(&mut ada, json!({})).await;
    assert_eq!(servers[0], json!({ "urls": ["stun:h.example:3478"] }));
    assert_eq!(servers[1]["urls"], json!(URLS));
    let (username, proof) = credentials(&servers).unwrap();
    assert_eq!(proof, password("turn", &username));
    assert_eq!(check_username(&username, NOW + ttl - 1).unwrap().kind, HolderKind::User);
    assert_eq!(check_username(&username, NOW + ttl), None);
}

#[tokio::test]
async fn guests_of_a_room_share_a_holder_and_users_have_one_each() {
    let world = world(of_host(), secrets()).await;
    let (mut ada, mut bob) = (world.member("Ada").await, world.member("Bob").await);
    let mut holders = BTreeSet::new();
    for room in ["R", "S"] {
        let room = ada.post("/create-room", json!({ "name": room })).await.1["id"].clone();
        for name in ["Gus", "Gwen"] {
            let (servers, _) = ticket(&mut world.browser(), json!({ "room": room, "name": name })).await;
            let holder = check_username(&credentials(&servers).unwrap().0, NOW).unwrap();
            assert_eq!(holder.kind, HolderKind::Room);
            holders.insert(holder.hash);
        }
        for user in [&mut ada, &mut bob] {
            let (servers, _) = ticket(user, json!({ "room": room })).await;
            holders.insert(check_username(&credentials(&servers).unwrap().0, NOW).unwrap().hash);
        }
    }
    assert_eq!(holders.len(), 4, "two rooms and two users");
}

#[tokio::test]
async fn rotated_secret_signs_only_when_the_relay_has_read_it() {
    let rotated = Secrets {
        turn_secret: Some(Secret::new("new")),
        turn_secret_written: NOW,
        turn_secret_previous: Some(Secret::new("turn")),
        turn_secret_previous_written: NOW,
        ..secrets()
    };
    let world = world(of_host(), rotated).await;
    let mut ada = world.member("Ada").await;
    for (seconds, secret) in [(0, "turn"), (SETTLED_SECONDS - 1, "turn"), (1, "new")] {
        world.clock.forward(seconds);
        let (username, proof) = credentials(&ticket(&mut ada, json!({})).await.0).unwrap();
        assert_eq!(proof, password(secret, &username), "{seconds}");
    }
}

#[tokio::test]
async fn without_a_provider_only_named_stun_servers_are_given() {
    let none = TurnSettings::default();
    let world_without = world(none.clone(), secrets()).await;
    assert!(ticket(&mut world_without.member("Ada").await, json!({})).await.0.is_empty());
    let stun = vec!["stun:s.example:3478".to_owned()];
    let world = world(TurnSettings { stun, ..none }, secrets()).await;
    let (servers, _) = ticket(&mut world.member("Ada").await, json!({})).await;
    assert_eq!(servers, [json!({ "urls": ["stun:s.example:3478"] })]);
}

/// Cloudflare's API: the answers that it gives in order, and the requests that it got.
#[derive(Default)]
struct Cloudflare {
    answers: Mutex<Vec<Reply>>,
    requests: Mutex<Vec<(String, String, Value)>>,
}

#[derive(Clone)]
enum Reply {
    /// A status with a body.
    Now(u16, String),
    /// None until the client has given up.
    Never,
}

impl Cloudflare {
    fn requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

async fn generate(
    State(double): State<Arc<Cloudflare>>,
    Path(key): Path<String>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, String) {
    assert_eq!(headers["content-type"], "application/json");
    let authorization = headers["authorization"].to_str().unwrap().to_owned();
    double.requests.lock().unwrap().push((key, authorization, serde_json::from_str(&body).unwrap()));
    let reply = double.answers.lock().unwrap().remove(0);
    match reply {
        Reply::Now(status, body) => (StatusCode::from_u16(status).unwrap(), body),
        Reply::Never => std::future::pending().await,
    }
}

/// The documented answer, with this username.
fn issued(username: &str) -> Reply {
    let body = json!({ "iceServers": [
        { "urls": ["stun:stun.cloudflare.com:3478", "stun:stun.cloudflare.com:53"] },
        {
            "urls": [
                "turn:turn.cloudflare.com:3478?transport=udp",
                "turn:turn.cloudflare.com:53?transport=udp",
                "turn:turn.cloudflare.com:3478?transport=tcp",
                "turn:turn.cloudflare.com:80?transport=tcp",
                "turns:turn.cloudflare.com:5349?transport=tcp",
                "turns:turn.cloudflare.com:443?transport=tcp",
            ],
            "username": username,
            "credential": "aba9b169546eb6dcc7bfb1cdf34544cf",
        },
    ] });
    Reply::Now(201, body.to_string())
}

/// A world whose TURN is Cloudflare's, which gives these answers.
async fn at_cloudflare(answers: Vec<Reply>, stun: &[&str]) -> (World, Arc<Cloudflare>) {
    let double = Arc::new(Cloudflare { answers: Mutex::new(answers), ..Cloudflare::default() });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let turn = TurnSettings {
        provider: TurnProvider::Cloudflare,
        stun: stun.iter().map(|url| (*url).to_owned()).collect(),
        cloudflare_url: format!("http://{}", listener.local_addr().unwrap()),
        ..TurnSettings::default()
    };
    let path = "/v1/turn/keys/{key}/credentials/generate-ice-servers";
    let app = Router::new().route(path, post(generate)).with_state(double.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let secret = |text: &str| Some(Secret::new(text));
    let secrets = Secrets { turn_key_id: secret("k3y"), turn_api_token: secret("t0ken"), ..secrets() };
    (world(turn, secrets).await, double)
}

#[tokio::test]
async fn cloudflares_servers_are_fetched_as_documented_and_kept_for_half_of_their_life() {
    let (world, double) = at_cloudflare(vec![issued("a"), issued("b")], &[]).await;
    let mut ada = world.member("Ada").await;
    let (servers, ttl) = ticket(&mut ada, json!({})).await;
    assert_eq!(
        *double.requests.lock().unwrap(),
        [("k3y".to_owned(), "Bearer t0ken".to_owned(), json!({ "ttl": TURN_SECONDS }))]
    );
    assert_eq!((servers[0].clone(), ttl), (json!({ "urls": ["stun:stun.cloudflare.com:3478"] }), TURN_SECONDS));
    let urls = servers[1]["urls"].as_array().unwrap();
    assert_eq!(urls.len(), 5, "browsers refuse port 53: {urls:?}");
    world.clock.forward(TURN_SECONDS / 2 - 1);
    let (servers, ttl) = ticket(&mut world.member("Bob").await, json!({})).await;
    assert_eq!((credentials(&servers).unwrap().0.as_str(), ttl, double.requests()), ("a", TURN_SECONDS / 2 + 1, 1));
    world.clock.forward(1);
    let (servers, ttl) = ticket(&mut ada, json!({})).await;
    assert_eq!((credentials(&servers).unwrap().0.as_str(), ttl, double.requests()), ("b", TURN_SECONDS, 2));
}

#[tokio::test]
async fn failure_of_cloudflare_leaves_a_ticket_without_turn() {
    for answer in [
        Reply::Now(401, r#"{"errors":[{"code":10000,"message":"Authentication error"}]}"#.to_owned()),
        Reply::Now(429, String::new()),
        Reply::Now(500, "down".to_owned()),
        Reply::Now(302, String::new()),
        Reply::Now(201, "no JSON".to_owned()),
        Reply::Now(201, json!({ "iceServers": [] }).to_string()),
        Reply::Now(201, "x".repeat(100_000)),
    ] {
        let (world, double) = at_cloudflare(vec![answer, issued("a")], &["stun:s.example"]).await;
        let mut ada = world.member("Ada").await;
        for _ in 0..3 {
            let (servers, _) = ticket(&mut ada, json!({})).await;
            assert_eq!(servers, [json!({ "urls": ["stun:s.example"] })]);
        }
        assert_eq!(double.requests(), 1, "it is not asked again at once");
        world.clock.forward(15);
        let (servers, _) = ticket(&mut ada, json!({})).await;
        assert_eq!(credentials(&servers).unwrap().0, "a");
        assert_eq!(servers[0], json!({ "urls": ["stun:s.example"] }), "the named STUN servers replace Cloudflare's");
        assert_eq!(servers.len(), 2);
    }
}

#[tokio::test]
async fn slow_cloudflare_delays_one_ticket_by_two_seconds_at_most() {
    let (world, double) = at_cloudflare(vec![Reply::Never], &[]).await;
    let mut ada = world.member("Ada").await;
    let begun = Instant::now();
    for _ in 0..3 {
        assert!(ticket(&mut ada, json!({})).await.0.is_empty());
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(double.requests(), 1);
}

#[tokio::test]
async fn valid_credentials_are_used_while_cloudflare_fails() {
    let (world, double) = at_cloudflare(vec![issued("a"), Reply::Now(503, String::new()), issued("b")], &[]).await;
    let mut ada = world.member("Ada").await;
    ticket(&mut ada, json!({})).await;
    world.clock.forward(TURN_SECONDS / 2);
    let (servers, ttl) = ticket(&mut ada, json!({})).await;
    assert_eq!((credentials(&servers).unwrap().0.as_str(), ttl), ("a", TURN_SECONDS / 2));
    world.clock.forward(TURN_SECONDS / 2);
    let (servers, ttl) = ticket(&mut ada, json!({})).await;
    assert_eq!((credentials(&servers).unwrap().0.as_str(), ttl, double.requests()), ("b", TURN_SECONDS, 3));
}
