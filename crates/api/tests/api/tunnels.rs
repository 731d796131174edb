//! The address of the signaling server behind a quick tunnel, which only its host knows: what the host publishes is what
//! `POST /ticket` answers.

use std::sync::Arc;

use axum::http::StatusCode;
use peersync_api::Limits;
use peersync_server::clock::Clock;
use peersync_server::secrets::LiveSecrets;
use peersync_server::settings::Settings;
use peersync_server::store::Publication;
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
        let published = store.publish_signal_address(address, "a host", None, world.state.now()).await;
        assert_eq!(published.unwrap(), Publication::Published);
        assert_eq!(told(&mut ada).await.as_deref(), Some(address), "as after a restart of cloudflared");
    }
    world.clock.forward(599);
    assert_eq!(told(&mut ada).await.as_deref(), Some(SECOND));
    world.clock.forward(1);
    assert_eq!(told(&mut ada).await, None, "nobody has confirmed it for ten minutes");
}

#[tokio::test]
async fn ticket_has_the_address_of_one_host_until_that_gives_it_up() {
    let world = world().await;
    let mut ada = world.member("Ada").await;
    let store = world.state.store();
    let publish = |address, host, silent| store.publish_signal_address(address, host, silent, world.state.now());
    assert_eq!(publish(FIRST, "old", None).await.unwrap(), Publication::Published);
    let Publication::Taken { mark } = publish(SECOND, "new", None).await.unwrap() else { panic!("two hosts count") };
    assert_eq!(told(&mut ada).await.as_deref(), Some(FIRST));
    store.give_up_signal_address("new").await.unwrap();
    assert_eq!(told(&mut ada).await.as_deref(), Some(FIRST), "it was not the new one's");

    // What the new one has seen last is not what it meant to be silent.
    assert_eq!(publish(FIRST, "old", None).await.unwrap(), Publication::Published);
    let Publication::Taken { mark: newer } = publish(SECOND, "new", Some(mark.as_str())).await.unwrap() else {
        panic!("the old one has confirmed its address")
    };
    assert_ne!(newer, mark);
    assert_eq!(publish(SECOND, "new", Some(newer.as_str())).await.unwrap(), Publication::Published, "it is silent");
    assert!(matches!(publish(FIRST, "old", None).await.unwrap(), Publication::Taken { .. }), "it comes too late");
    assert_eq!(told(&mut ada).await.as_deref(), Some(SECOND));

    store.give_up_signal_address("new").await.unwrap();
    assert_eq!(told(&mut ada).await, None);
    assert_eq!(publish(FIRST, "old", None).await.unwrap(), Publication::Published);
}
