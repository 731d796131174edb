//! People who knock, ring and ask without end: they gain nothing, and those around them lose nothing.

use peersync_signal::Limits;
use serde_json::{Value, json};

use crate::client::Client;
use crate::entrance::hello_from;
use crate::world::{World, guest, user};

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";
const EVE: &str = "eve@example.org";

/// Messages about anything but presence.
async fn heard(client: &mut Client) -> Vec<Value> {
    client.settle().await.into_iter().filter(|message| message["type"] != "presence").collect()
}

fn count(messages: &[Value], kind: &str) -> usize {
    messages.iter().filter(|message| message["type"] == kind).count()
}

/// A guest from this address who has knocked. Returns the answer.
async fn knock(world: &World, viewer: &str, name: &str) -> (Client, Value) {
    let mut client = hello_from(world, viewer, guest(name, "r")).await;
    client.welcomed().await;
    client.send(json!({ "type": "join", "room": "r" })).await;
    let answer = client.next().await;
    (client, answer)
}

async fn locked_room(limits: Limits) -> (World, Client) {
    let world = World::with(limits).await;
    let mut ada = world.inside("Ada", "r").await;
    ada.send(json!({ "type": "room-lock" })).await;
    ada.expect("room-lock").await;
    (world, ada)
}

#[tokio::test]
async fn guest_who_was_turned_away_pauses_and_a_colleague_knocks() {
    let (world, mut ada) = locked_room(Limits::default()).await;
    let (mut eve, answer) = knock(&world, "192.0.2.1:1000", "Eve").await;
    assert_eq!(answer["type"], "knock");
    ada.expect("knock").await;
    ada.send(json!({ "type": "room-admit", "peer": eve.peer, "admit": false })).await;
    eve.refused("not_admitted").await;
    ada.expect("peer-left").await;
    for _ in 0..10 {
        eve.send(json!({ "type": "join", "room": "r" })).await;
        eve.refused("not_admitted").await;
        assert_eq!(knock(&world, "192.0.2.1:1000", "eve").await.1["code"], "not_admitted", "with a new ticket");
    }
    assert!(ada.settle().await.is_empty(), "the members hear nothing of it");
    let (mut gus, answer) = knock(&world, "192.0.2.1:2000", "Gus").await;
    assert_eq!(answer["type"], "knock", "{answer}");
    ada.expect("knock").await;
    ada.send(json!({ "type": "room-admit", "peer": gus.peer })).await;
    gus.expect("joined").await;
    assert_eq!(knock(&world, "192.0.2.2:1000", "Eve").await.1["type"], "knock", "a namesake from elsewhere");
}

#[tokio::test]
async fn guest_who_knocks_without_end_shows_few_cards() {
    let (world, mut ada) = locked_room(Limits::default()).await;
    let (mut eve, _) = knock(&world, "192.0.2.1:1000", "Eve").await;
    for _ in 0..48 {
        eve.send(json!({ "type": "leave" })).await;
        eve.send(json!({ "type": "join", "room": "r" })).await;
    }
    assert!(eve.settle().await.iter().any(|message| message["code"] == "too_many"));
    let by_one_session = count(&heard(&mut ada).await, "knock");
    assert_eq!(by_one_session, 4);
    let mut cards = by_one_session;
    for number in 0..20 {
        drop(knock(&world, "192.0.2.1:1000", &format!("Eve {number}")).await);
        cards += count(&heard(&mut ada).await, "knock");
    }
    assert!(cards <= 9, "{cards} cards from one address");
    assert_eq!(knock(&world, "192.0.2.2:1000", "Gus").await.1["type"], "knock");
}

#[tokio::test]
async fn places_at_the_door_are_shared_between_networks() {
    let (world, mut ada) = locked_room(Limits { knocking: 3, ..Limits::default() }).await;
    let mut crowd = Vec::new();
    for number in 0..3 {
        crowd.push(knock(&world, "192.0.2.1:1000", &format!("Eve {number}")).await.0);
    }
    assert_eq!(knock(&world, "192.0.2.1:1000", "Eve 3").await.1["code"], "too_many");
    let (_gus, answer) = knock(&world, "192.0.2.2:1000", "Gus").await;
    assert_eq!(answer["type"], "knock");
    assert_eq!(crowd.pop().unwrap().refused("too_many").await["about"], "join");
    let (_ida, answer) = knock(&world, "192.0.2.3:1000", "Ida").await;
    assert_eq!(answer["type"], "knock");
    assert_eq!(knock(&world, "192.0.2.4:1000", "Jo").await.1["code"], "too_many", "three networks with a place each");
    // A user takes the place of a guest.
    let room = Some("r");
    let mut bob = hello_from(&world, "192.0.2.5:1000", user(BOB, room)).await;
    bob.welcomed().await;
    bob.send(json!({ "type": "join", "room": "r" })).await;
    assert_eq!(bob.next().await["type"], "knock");
    let messages = heard(&mut ada).await;
    assert_eq!((count(&messages, "knock"), count(&messages, "peer-left")), (6, 3), "{messages:?}");
}

async fn ring(caller: &mut Client, room: &str) -> Value {
    caller.send(json!({ "type": "ring", "to": BOB, "room": room })).await;
    let answer = heard(caller).await;
    answer.into_iter().find(|message| matches!(message["type"].as_str(), Some("ringing" | "error"))).unwrap()
}

async fn friends_of_bob() -> (World, Vec<String>) {
    let world = World::new().await;
    world.database.connect(ADA, BOB, "accepted").await;
    world.database.connect(EVE, BOB, "accepted").await;
    let mut rooms = Vec::new();
    for _ in 0..9 {
        rooms.push(world.database.room(EVE, false).await);
    }
    (world, rooms)
}

#[tokio::test]
async fn friend_with_many_rooms_is_one_ring_and_another_friend_gets_through() {
    let (world, rooms) = friends_of_bob().await;
    let mut bob = world.user(BOB).await;
    let mut tabs = Vec::new();
    for room in &rooms[1..] {
        let mut eve = world.user(EVE).await;
        eve.join(room).await;
        ring(&mut eve, room).await;
        tabs.push(eve);
    }
    let messages = heard(&mut bob).await;
    assert_eq!((count(&messages, "rung"), count(&messages, "missed")), (4, 3), "four at once: {messages:?}");
    assert_eq!(messages.last().unwrap()["room"], json!(rooms[4]), "the newest room");
    assert_eq!(count(&heard(&mut tabs[0]).await, "missed"), 1, "her first tab is told");
    let mut ada = world.user(ADA).await;
    ada.join(&rooms[0]).await;
    assert_eq!(ring(&mut ada, &rooms[0]).await["type"], "ringing");
    let mut late = world.user(BOB).await;
    assert_eq!(count(&heard(&mut late).await, "rung"), 2, "one for each person");
    bob.send(json!({ "type": "accept", "room": rooms[0] })).await;
    assert_eq!(count(&heard(&mut bob).await, "accepted"), 1);
}

#[tokio::test]
async fn friend_who_rings_without_end_is_heard_four_times_and_pauses_after_a_rejection() {
    let (world, rooms) = friends_of_bob().await;
    let (mut bob, mut eve) = (world.user(BOB).await, world.user(EVE).await);
    eve.join(&rooms[0]).await;
    for _ in 0..20 {
        ring(&mut eve, &rooms[0]).await;
        eve.send(json!({ "type": "ring-cancel" })).await;
    }
    eve.settle().await;
    let messages = heard(&mut bob).await;
    assert_eq!((count(&messages, "rung"), count(&messages, "missed")), (4, 4));
    // Asking again for a ring that rings costs nothing: the pages do so after a loss of the server.
    let mut ada = world.user(ADA).await;
    ada.join(&rooms[1]).await;
    for _ in 0..20 {
        assert_eq!(ring(&mut ada, &rooms[1]).await["type"], "ringing");
    }
    assert_eq!(count(&heard(&mut bob).await, "rung"), 1);
    bob.send(json!({ "type": "reject", "room": rooms[1] })).await;
    bob.settle().await;
    for _ in 0..2 {
        let refused = ring(&mut ada, &rooms[1]).await;
        assert_eq!((&refused["code"], &refused["about"]), (&json!("too_many"), &json!("ring")));
    }
    assert_eq!(count(&heard(&mut bob).await, "rung"), 0);
    // Who declined can ring back.
    bob.join(&rooms[2]).await;
    bob.send(json!({ "type": "ring", "to": ADA, "room": rooms[2] })).await;
    assert_eq!(count(&heard(&mut bob).await, "ringing"), 1);
}

#[tokio::test]
async fn look_ups_of_friends_have_a_budget_for_each_user() {
    let world = World::new().await;
    let (mut refused, mut other) = (0, world.user(ADA).await);
    for _ in 0..3 {
        let mut eve = world.user(EVE).await;
        for _ in 0..20 {
            eve.send(json!({ "type": "friends-changed" })).await;
        }
        refused += heard(&mut eve).await.iter().filter(|message| message["code"] == "rate_limited").count();
    }
    assert!((35..=40).contains(&refused), "{refused} of 60, in whatever sessions");
    other.send(json!({ "type": "friends-changed" })).await;
    assert!(heard(&mut other).await.is_empty());
}
