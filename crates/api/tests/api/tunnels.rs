//! The address of the signaling server behind a quick tunnel, which only its host knows: what the host publishes is what
//! `POST /ticket` answers.

use std::sync::Arc;

use axum::http::StatusCode;
use peersync_api::Limits;
use peersync_server::clock::Clock;
use peersync_server::secrets::LiveSecrets;
use peersync_server::settings::Settings;
use serde_json::json;

use crate::support::{Browser, Mailbox, NOW, World, secrets, settings};

const FIRST: &str = "wss://one-two.trycloudflare.com/ws";
const SECOND: &str = "wss://three-four.trycloudflare.com/ws";

async fn world() -> World {
    let settings = Settings { signal_url: String::new(), ..settings() };
    let mailbox = Arc::<Mailbox>::default();
    let live = LiveSecrets::fixed(secrets());
    World::with_all(Limits::default(), Clock::fixed(NOW), live, settings, (mailbox, None)).await
}

/// The address in a ticket; `None` if there is no ticket for now.
async fn told(browser: &mut Browser) -> Option<String> {
    let (status, body) = browser.post("/ticket", json!({})).await;
    if status == StatusCode::SERVICE_UNAVAILABLE {
        assert_eq!(body["error"]["code"], "unavailable");
        return None;
    }
    assert_eq!(status, StatusCode::OK, "{body}");
    body["url"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn ticket_has_the_address_that_the_host_has_published_last() {
    let world = world().await;
    let mut ada = world.member("Ada").await;
    assert_eq!(told(&mut ada).await, None, "nobody has published one");
    let store = world.state.store();
    for address in [FIRST, SECOND] {
        assert!(store.publish_signal_address(address, NOW, world.state.now()).await.unwrap());
        assert_eq!(told(&mut ada).await.as_deref(), Some(address), "as after a restart of cloudflared");
    }
    world.clock.forward(599);
    assert_eq!(told(&mut ada).await.as_deref(), Some(SECOND));
    world.clock.forward(1);
    assert_eq!(told(&mut ada).await, None, "nobody has confirmed it for ten minutes");
}

#[tokio::test]
async fn newer_host_wins_until_it_is_silent() {
    let world = world().await;
    let store = world.state.store();
    let publish = |address, since| store.publish_signal_address(address, since, world.state.now());
    assert!(publish(FIRST, NOW - 100).await.unwrap());
    assert!(publish(SECOND, NOW).await.unwrap(), "the new host takes over");
    assert!(!publish(FIRST, NOW - 100).await.unwrap(), "the old one no longer counts");
    assert_eq!(store.signal_address(world.state.now()).await.unwrap().as_deref(), Some(SECOND));
    world.clock.forward(181);
    assert!(publish(FIRST, NOW - 100).await.unwrap(), "the new one was terminated");
    assert_eq!(store.signal_address(world.state.now()).await.unwrap().as_deref(), Some(FIRST));
}
