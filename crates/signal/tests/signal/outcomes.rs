//! What the owner of a stack learns about calls: numbers, and what clients tell counts once.

use std::time::{Duration, Instant};

use peersync_server::metrics::{Metric, line};
use peersync_signal::{Limits, Server};
use serde_json::json;

use crate::client::Client;
use crate::world::World;

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";
const ROOM: &str = "a-room";

/// Takes what was counted since the last call, as names and sums, without what there is at present.
fn counted(server: &Server) -> Vec<(&'static str, f64)> {
    let of_now = [Metric::Uptime, Metric::Sockets];
    let measured = server.measure().into_iter().filter(|(metric, _)| !of_now.contains(metric));
    measured.map(|(metric, values)| (metric.name(), values.iter().sum())).collect()
}

async fn tell(client: &mut Client, way: &str) {
    client.send(json!({ "type": "outcome", "way": way })).await;
    let mut came = client.settle().await;
    came.retain(|message| message["type"] != "peer-joined");
    assert_eq!(came, Vec::<serde_json::Value>::new(), "there is no answer");
}

#[tokio::test]
async fn call_counts_once_and_each_way_that_its_members_tell_once() {
    let world = World::new().await;
    let mut ada = world.inside("Ada", ROOM).await;
    tell(&mut ada, "direct").await;
    assert_eq!(counted(&world.server), [], "nobody else is there");
    let mut bob = world.inside("Bob", ROOM).await;
    assert_eq!(counted(&world.server), [("CallsStarted", 1.0)]);
    for _ in 0..3 {
        tell(&mut ada, "direct").await;
        tell(&mut bob, "direct").await;
    }
    let mut eve = world.inside("Eve", ROOM).await;
    tell(&mut eve, "relayed").await;
    tell(&mut bob, "failed").await;
    assert_eq!(counted(&world.server), [("CallsDirect", 1.0), ("CallsRelayed", 1.0), ("CallsFailed", 1.0)]);
    // The next call in the same room.
    for client in [&mut bob, &mut eve] {
        client.send(json!({ "type": "leave" })).await;
        client.settle().await;
    }
    ada.settle().await;
    bob.join(ROOM).await;
    tell(&mut bob, "relayed").await;
    assert_eq!(counted(&world.server), [("CallsStarted", 1.0), ("CallsRelayed", 1.0)]);
}

#[tokio::test]
async fn call_that_goes_on_at_the_next_server_is_not_counted_again() {
    let one = World::new().await;
    let two = World::beside(&one, Limits::default()).await;
    let (mut ada, mut bob) = (one.inside("Ada", ROOM).await, one.inside("Bob", ROOM).await);
    assert_eq!(counted(&one.server), [("CallsStarted", 1.0)]);
    for client in [&mut ada, &mut bob] {
        client.return_to(two.address).await;
        client.welcomed().await;
        client.join(ROOM).await;
    }
    ada.settle().await;
    tell(&mut bob, "relayed").await;
    assert_eq!(counted(&two.server), [("CallsRelayed", 1.0)]);
    // The next one is.
    bob.send(json!({ "type": "leave" })).await;
    bob.settle().await;
    bob.join(ROOM).await;
    assert_eq!(counted(&two.server), [("CallsStarted", 1.0)]);
    // And so is one in which only one goes on.
    for client in [&mut ada, &mut bob] {
        client.send(json!({ "type": "leave" })).await;
        client.settle().await;
    }
    let mut cem = one.inside("Cem", "another").await;
    cem.return_to(two.address).await;
    cem.welcomed().await;
    cem.join("another").await;
    two.inside("Dan", "another").await;
    assert_eq!(counted(&two.server), [("CallsStarted", 1.0)]);
}

#[tokio::test]
async fn outcome_outside_of_a_room_means_nothing_and_unknown_ways_are_refused() {
    let world = World::new().await;
    let mut ada = world.guest("Ada", ROOM).await;
    tell(&mut ada, "failed").await;
    ada.send(json!({ "type": "outcome", "way": "ada@example.org" })).await;
    ada.refused("bad_message").await;
    assert_eq!(counted(&world.server), []);
}

#[tokio::test]
async fn time_from_ring_to_answer_is_measured() {
    let world = World::with(Limits::default()).await;
    world.database.connect(ADA, BOB, "accepted").await;
    let room = world.database.room(ADA, false).await;
    let (mut ada, mut bob) = (world.user(ADA).await, world.user(BOB).await);
    ada.join(&room).await;
    let begun = Instant::now();
    ada.send(json!({ "type": "ring", "to": BOB, "room": room })).await;
    while bob.next().await["type"] != "rung" {}
    tokio::time::sleep(Duration::from_millis(50)).await;
    bob.send(json!({ "type": "accept", "room": room })).await;
    bob.settle().await;
    while ada.next().await["type"] != "accepted" {}
    let measured = world.server.measure();
    let (_, answers) = measured.iter().find(|(metric, _)| *metric == Metric::RingToAnswer).unwrap();
    assert_eq!(answers.len(), 1);
    assert!((0.05..=begun.elapsed().as_secs_f64()).contains(&answers[0]), "{answers:?}");
    // No address and no room is in the line.
    let line = line("peersync-dev", &measured, 1_800_000_000).unwrap();
    assert!(!line.contains(&room) && !line.contains("example.org") && line.contains("\"Sockets\":2.0"), "{line}");
}
