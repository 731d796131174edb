//! Rings and presence.

use std::time::Duration;

use peersync_signal::Limits;
use serde_json::{Value, json};

use crate::client::Client;
use crate::world::World;

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";
const EVE: &str = "eve@example.org";

async fn friends(limits: Limits) -> (World, String) {
    let world = World::with(limits).await;
    world.database.connect(ADA, BOB, "accepted").await;
    let room = world.database.room(ADA, false).await;
    (world, room)
}

async fn ring(caller: &mut Client, to: &str, room: &str) -> Value {
    caller.send(json!({ "type": "ring", "to": to, "room": room })).await;
    loop {
        let answer = caller.next().await;
        if answer["type"] != "presence" {
            return answer;
        }
    }
}

async fn after_presence(client: &mut Client, kind: &str) -> Value {
    loop {
        let message = client.next().await;
        if message["type"] != "presence" {
            assert_eq!(message["type"], kind, "{message}");
            return message;
        }
    }
}

#[tokio::test]
async fn friend_rings_in_all_tabs_and_the_first_to_accept_wins() {
    let (world, room) = friends(Limits::default()).await;
    let mut ada = world.user(ADA).await;
    let (mut one, mut two) = (world.user(BOB).await, world.user(BOB).await);
    ada.join(&room).await;
    assert_eq!(
        ring(&mut ada, BOB, &room).await,
        json!({ "type": "ringing", "seq": ada.seen, "to": BOB, "room": room, "online": true })
    );
    for tab in [&mut one, &mut two] {
        let rung = after_presence(tab, "rung").await;
        assert_eq!((&rung["from"], &rung["name"], &rung["room"]), (&json!(ADA), &json!("ada"), &json!(room)));
    }
    let accept = json!({ "type": "accept", "room": room });
    tokio::join!(one.send(accept.clone()), two.send(accept));
    let (mut winners, mut losers) = (Vec::new(), 0);
    for tab in [&mut one, &mut two] {
        let messages = tab.settle().await;
        let accepted: Vec<_> = messages.iter().filter(|message| message["type"] == "accepted").collect();
        assert_eq!(accepted.len(), 1, "{messages:?}");
        winners.push(accepted[0]["peer"].clone());
        losers += messages.iter().filter(|message| message["code"] == "ring_over").count();
    }
    // Both tabs may respond before the other is done, so everything is queued only after a second settle.
    losers += one.settle().await.len() + two.settle().await.len();
    assert_eq!(winners[0], winners[1]);
    assert!(winners[0] == json!(one.peer) || winners[0] == json!(two.peer));
    assert_eq!(losers, 1, "the slower tab is told that it was too late");
    let accepted = after_presence(&mut ada, "accepted").await;
    assert_eq!((&accepted["from"], &accepted["room"]), (&json!(BOB), &json!(room)));
    assert!(ada.settle().await.is_empty());
}

#[tokio::test]
async fn only_accepted_friends_can_be_rung_and_only_to_the_callers_room() {
    let (world, room) = friends(Limits::default()).await;
    world.database.connect(ADA, EVE, "requested").await;
    let (mut ada, mut bob, mut eve) = (world.user(ADA).await, world.user(BOB).await, world.user(EVE).await);
    assert_eq!(ring(&mut ada, BOB, &room).await["code"], "not_in_room");
    ada.join(&room).await;
    for stranger in [EVE, "nobody@example.org", ADA, ""] {
        assert_eq!(ring(&mut ada, stranger, &room).await["code"], "not_friends", "{stranger}");
    }
    assert_eq!(ring(&mut ada, BOB, "AAAAAAAAAAAAAAAAAAAAAA").await["code"], "not_in_room");
    let mut guest = world.inside("Guest", "g").await;
    assert_eq!(ring(&mut guest, BOB, "g").await["code"], "forbidden");
    for bystander in [&mut bob, &mut eve] {
        assert!(bystander.settle().await.iter().all(|message| message["type"] == "presence"));
    }
    eve.send(json!({ "type": "accept", "room": room })).await;
    eve.refused("ring_over").await;
}

#[tokio::test]
async fn ring_is_rejected_in_all_tabs() {
    let (world, room) = friends(Limits::default()).await;
    let (mut ada, mut one, mut two) = (world.user(ADA).await, world.user(BOB).await, world.user(BOB).await);
    ada.join(&room).await;
    ring(&mut ada, BOB, &room).await;
    after_presence(&mut one, "rung").await;
    after_presence(&mut two, "rung").await;
    one.send(json!({ "type": "reject", "room": room })).await;
    assert_eq!(after_presence(&mut ada, "rejected").await["from"], BOB);
    for tab in [&mut one, &mut two] {
        assert!(tab.expect("rejected").await["peer"].is_string());
    }
}

#[tokio::test]
async fn ring_is_missed_if_cancelled_left_or_unanswered() {
    let limits = Limits { ring: Duration::from_millis(300), tick: Duration::from_millis(20), ..Limits::default() };
    let (world, room) = friends(limits).await;
    let (mut ada, mut bob) = (world.user(ADA).await, world.user(BOB).await);
    for how in [json!({ "type": "ring-cancel", "room": room }), json!({ "type": "leave" }), json!({ "type": "ping" })] {
        ada.join(&room).await;
        ring(&mut ada, BOB, &room).await;
        after_presence(&mut bob, "rung").await;
        ada.send(how.clone()).await;
        let missed = bob.expect("missed").await;
        assert_eq!((&missed["from"], &missed["room"]), (&json!(ADA), &json!(room)), "{how}");
        loop {
            let message = ada.next().await;
            if message["type"] == "missed" {
                assert_eq!((&message["to"], &message["room"]), (&json!(BOB), &json!(room)));
                break;
            }
        }
        bob.send(json!({ "type": "accept", "room": room })).await;
        bob.refused("ring_over").await;
    }
}

#[tokio::test]
async fn tab_opened_during_a_ring_rings_too() {
    let (world, room) = friends(Limits::default()).await;
    let mut ada = world.user(ADA).await;
    ada.join(&room).await;
    assert_eq!(ring(&mut ada, BOB, &room).await["online"], false);
    let mut bob = world.user(BOB).await;
    after_presence(&mut bob, "rung").await;
    bob.send(json!({ "type": "accept", "room": room })).await;
    after_presence(&mut ada, "accepted").await;
}

#[tokio::test]
async fn user_who_accepted_a_ring_need_not_knock() {
    let (world, room) = friends(Limits::default()).await;
    let (mut ada, mut bob) = (world.user(ADA).await, world.user(BOB).await);
    ada.join(&room).await;
    ada.send(json!({ "type": "room-lock" })).await;
    ring(&mut ada, BOB, &room).await;
    after_presence(&mut bob, "rung").await;
    bob.send(json!({ "type": "accept", "room": room })).await;
    bob.expect("accepted").await;
    assert_eq!(bob.join(&room).await["locked"], true);
}

#[tokio::test]
async fn rings_are_bounded() {
    let (world, _) = friends(Limits { rings_from: 1, rings_to: 1, ..Limits::default() }).await;
    world.database.connect(ADA, EVE, "accepted").await;
    world.database.connect(BOB, EVE, "accepted").await;
    let (mut ada, mut eve) = (world.user(ADA).await, world.user(EVE).await);
    let (one, two) = (world.database.room(ADA, false).await, world.database.room(EVE, false).await);
    ada.join(&one).await;
    eve.join(&two).await;
    assert_eq!(ring(&mut ada, BOB, &one).await["type"], "ringing");
    assert_eq!(ring(&mut ada, BOB, &one).await["type"], "ringing", "once more is the same ring");
    assert_eq!(ring(&mut ada, EVE, &one).await["code"], "too_many");
    assert_eq!(ring(&mut eve, BOB, &two).await["code"], "too_many");
}

#[tokio::test]
async fn presence_is_sent_to_friends_only() {
    let (world, _) = friends(Limits::default()).await;
    world.database.connect(ADA, EVE, "requested").await;
    let (mut ada, mut eve) = (world.user(ADA).await, world.user(EVE).await);
    ada.settle().await;
    eve.settle().await;
    let mut bob = world.user(BOB).await;
    let online = |email: &str, online: bool| (json!(email), json!(online));
    let presence = |message: Value| (message["email"].clone(), message["online"].clone());
    assert_eq!(presence(bob.expect("presence").await), online(ADA, true), "who comes sees who is there");
    assert_eq!(presence(ada.expect("presence").await), online(BOB, true));
    let mut second = world.user(BOB).await;
    assert_eq!(presence(second.expect("presence").await), online(ADA, true));
    bob.send(json!({ "type": "bye" })).await;
    second.settle().await;
    assert!(ada.settle().await.is_empty(), "one tab is left");
    second.send(json!({ "type": "bye" })).await;
    assert_eq!(presence(ada.expect("presence").await), online(BOB, false));
    assert!(eve.settle().await.is_empty());
}

#[tokio::test]
async fn friends_changed_updates_presence() {
    let (world, _) = friends(Limits::default()).await;
    let (mut ada, mut eve) = (world.user(ADA).await, world.user(EVE).await);
    ada.settle().await;
    eve.settle().await;
    world.database.connect(ADA, EVE, "accepted").await;
    ada.send(json!({ "type": "friends-changed" })).await;
    assert_eq!(ada.expect("presence").await["email"], EVE);
    assert_eq!(eve.expect("presence").await["email"], ADA);
    world.database.disconnect(ADA, EVE).await;
    ada.send(json!({ "type": "friends-changed" })).await;
    assert_eq!(ada.expect("presence").await["online"], false);
    assert_eq!(eve.expect("presence").await["online"], false);
}
