//! DynamoDB is unavailable.

use std::time::Duration;

use peersync_signal::Limits;
use serde_json::json;

use crate::client::Client;
use crate::world::{Database, World, user};

#[tokio::test]
async fn calls_and_joins_work_without_database_and_rings_are_refused() {
    let world = World::new().await;
    world.database.connect("ada@example.org", "bob@example.org", "accepted").await;
    let room = world.database.room("ada@example.org", false).await;
    let (mut ada, mut bob) = (world.user("ada@example.org").await, world.user("bob@example.org").await);
    ada.join(&room).await;
    bob.join(&room).await;
    ada.settle().await;
    world.database.stop().await;
    ada.signal(&bob.peer, "x").await;
    bob.expect("signal").await;
    ada.send(json!({ "type": "ring", "to": "bob@example.org", "room": room })).await;
    let error = ada.refused("directory_unavailable").await;
    assert_eq!(error["about"], "ring");
    assert!(error["message"].as_str().unwrap().contains("try again"), "{error}");
    // With the room in the ticket, without it, and as a guest.
    let ticket = world.ticket_of(user("cat@example.org", Some(&room)), 0);
    let mut cat = Client::welcome(world.address, &ticket).await;
    assert_eq!(cat.join(&room).await["peers"].as_array().unwrap().len(), 2);
    let mut dan = world.user("dan@example.org").await;
    dan.join(&room).await;
    world.inside("Guest", "another").await;
}

#[tokio::test]
async fn database_that_never_answers_is_waited_for_once() {
    let limits = Limits {
        directory: Duration::from_millis(100),
        directory_retry: Duration::from_secs(3600),
        ..Limits::default()
    };
    let world = World::with_database(Database::silent().await, limits, 4).await;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
    ada.expect("peer-joined").await;
    bob.signal(&ada.peer, "x").await;
    ada.expect("signal").await;
    let mut cat = Client::welcome(world.address, &world.ticket_of(user("cat@example.org", Some("r")), 0)).await;
    cat.join("r").await;
    cat.send(json!({ "type": "ring", "to": "dan@example.org", "room": "r" })).await;
    assert_eq!(cat.refused("directory_unavailable").await["about"], "ring");
    let metrics = crate::entrance::get(&world, "/metrics", "").await;
    assert!(metrics.contains("peersync_signal_directory_errors_total 1\n"), "{metrics}");
}
