//! Shutting down.

use std::time::{Duration, Instant};

use peersync_server::settings::Entrance;
use peersync_signal::{Drained, Limits};
use serde_json::json;
use tokio_tungstenite::tungstenite::Error;

use crate::client::{Came, Client, EDGE_KEY, ORIGIN};
use crate::world::World;

#[tokio::test]
async fn drain_announces_before_close_and_refuses_new_connections() {
    let limits = Limits { drain: Duration::from_millis(300), ..Limits::default() };
    let world = World::with(limits).await;
    let mut clients = Vec::new();
    for number in 0..20 {
        clients.push(world.inside("Guest", &format!("room-{number}")).await);
    }
    let server = world.server.clone();
    let drain = tokio::spawn(async move { server.drain().await });
    let mut waits = std::collections::HashSet::new();
    for client in &mut clients {
        waits.insert(client.expect("draining").await["retry_ms"].as_u64().unwrap());
    }
    assert!(waits.len() > 1, "not all at once: {waits:?}");
    assert!(waits.iter().all(|wait| (1000..=1600).contains(wait)), "a few are back soon: {waits:?}");
    for client in &mut clients {
        assert_eq!(client.came().await, Came::Closed(1012));
    }
    assert_eq!(drain.await.unwrap(), Drained { notified: 20, left: 0 });
    let headers = [("origin", ORIGIN), ("x-peersync-origin-key", EDGE_KEY)];
    let Err(Error::Http(response)) = Client::connect_with(world.address, &headers).await else { panic!("came in") };
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"5".parse().unwrap()));
    let health = crate::entrance::get(&world, "/healthz", "").await;
    assert!(health.starts_with("HTTP/1.1 503") && health.contains("draining"), "{health}");
}

#[tokio::test]
async fn queued_messages_come_before_the_close() {
    let limits = Limits { drain: Duration::from_millis(500), ..Limits::default() };
    let world = World::with(limits).await;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
    ada.settle().await;
    let server = world.server.clone();
    let drain = tokio::spawn(async move { server.drain().await });
    ada.expect("draining").await;
    ada.send(json!({ "type": "signal", "to": bob.peer, "candidate": null })).await;
    let mut received = Vec::new();
    loop {
        match bob.came().await {
            Came::Message(message) => received.push(message["type"].as_str().unwrap().to_owned()),
            closed => {
                assert_eq!(closed, Came::Closed(1012));
                break;
            }
        }
    }
    assert!(received.contains(&"draining".to_owned()), "{received:?}");
    drop((ada, bob));
    assert_eq!(drain.await.unwrap().left, 0);
}

#[tokio::test]
async fn drain_ends_at_its_deadline_with_a_stuck_client() {
    let limits =
        Limits { drain: Duration::from_millis(50), drain_deadline: Duration::from_millis(300), ..Limits::default() };
    let world = World::with(limits).await;
    // It neither reads nor responds.
    let _silent = world.inside("Silent", "r").await;
    let drained = world.server.drain().await;
    assert_eq!(drained.notified, 1);
}

/// The closes of a hundred connections are spread over two seconds.
#[tokio::test]
async fn drain_ends_once_everybody_has_left() {
    let world = World::new().await;
    let mut pages = Vec::new();
    for number in 0..100 {
        pages.push(world.inside("Guest", &format!("room-{number}")).await);
    }
    let server = world.server.clone();
    let drain = tokio::spawn(async move { (server.drain().await, Instant::now()) });
    for mut page in pages {
        page.expect("draining").await;
    }
    let left = Instant::now();
    let (drained, ended) = drain.await.unwrap();
    assert_eq!(drained, Drained { notified: 100, left: 0 });
    let waited = ended.saturating_duration_since(left);
    assert!(waited < Duration::from_secs(1), "it ended {waited:?} after the last one had left");
}

/// The next host connects its tunnel once this one says goodbye: whoever comes back before that is refused.
#[tokio::test]
async fn people_behind_a_named_tunnel_come_back_when_the_next_host_is_connected() {
    let world = World::behind(Entrance::Tunnel, Limits::default()).await;
    let headers = [("origin", ORIGIN), ("cf-connecting-ip", "192.0.2.1")];
    let mut page = Client::connect_with(world.address, &headers).await.unwrap();
    page.send(json!({ "type": "hello", "ticket": world.ticket("ada@example.org") })).await;
    page.expect("welcome").await;
    let server = world.server.clone();
    let drain = tokio::spawn(async move {
        let begin = Instant::now();
        server.drain().await;
        begin.elapsed()
    });
    let wait = page.expect("draining").await["retry_ms"].as_u64().unwrap();
    assert!((3000..=3500).contains(&wait), "{wait}");
    drop(page);
    let took = drain.await.unwrap();
    assert!(took >= Duration::from_secs(1), "the next host asks every half second: {took:?}");
}
