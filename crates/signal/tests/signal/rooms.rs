//! Members of rooms, their signals, and knocks.

use peersync_signal::Limits;
use serde_json::json;

use crate::client::{Client, candidates};
use crate::world::{World, user};

#[tokio::test]
async fn members_get_signals_with_a_sender_that_cannot_be_forged() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.guest("Bob", "r").await);
    let joined = bob.join("r").await;
    assert_eq!(joined["peers"], json!([{ "peer": ada.peer, "name": "Ada", "guest": true }]));
    assert_eq!(joined["locked"], false);
    assert_eq!(ada.expect("peer-joined").await["name"], "Bob");
    let offer = json!({ "type": "offer", "sdp": "v=0\r\n\"quoted\" \\ \u{1f600}" });
    ada.send(json!({ "type": "signal", "to": bob.peer, "description": offer })).await;
    let heard = bob.expect("signal").await;
    assert_eq!((&heard["from"], &heard["description"]), (&json!(ada.peer), &offer));
    // Every way in which a client could forge the sender.
    for field in [r#""from":"victim""#, r#""fr\u006fm":"victim""#, r#""from":"victim","from":"victim""#] {
        for text in [
            format!(r#"{{"type":"signal","to":"{}","candidate":null,{field}}}"#, bob.peer),
            format!(r#"{{{field},"type":"signal","to":"{}","candidate":{{}}}}"#, bob.peer),
            format!(r#"{{"type":"signal","to":"{}","candidate":{{}},{field}}}"#, bob.peer),
        ] {
            ada.send_text(text.clone()).await;
            assert_eq!(bob.expect("signal").await["from"], json!(ada.peer), "{text}");
        }
    }
    ada.send(json!({ "type": "leave" })).await;
    assert_eq!(bob.expect("peer-left").await["peer"], json!(ada.peer));
    bob.signal(&ada.peer, "late").await;
    bob.refused("no_such_peer").await;
}

#[tokio::test]
async fn peer_in_another_room_is_unreachable() {
    let world = World::new().await;
    let (mut ada, mut eve) = (world.inside("Ada", "r1").await, world.inside("Eve", "r2").await);
    let mut outside = world.guest("Out", "r1").await;
    eve.signal(&ada.peer, "x").await;
    eve.refused("no_such_peer").await;
    outside.signal(&ada.peer, "x").await;
    outside.refused("not_in_room").await;
    for nonsense in ["", "0", "ffffffffffffffff", "../../x"] {
        eve.signal(nonsense, "x").await;
        eve.refused("no_such_peer").await;
    }
    eve.send(json!({ "type": "signal", "to": eve.peer })).await;
    eve.refused("bad_message").await;
    assert!(ada.settle().await.is_empty());
}

#[tokio::test]
async fn fifth_peer_is_refused_by_a_room_of_four() {
    let world = World::new().await;
    let mut four = Vec::new();
    for name in ["1", "2", "3", "4"] {
        four.push(world.inside(name, "r").await);
    }
    let mut fifth = world.guest("5", "r").await;
    fifth.send(json!({ "type": "join", "room": "r" })).await;
    assert_eq!(fifth.refused("room_full").await["about"], "join");
    four.pop().unwrap().send(json!({ "type": "bye" })).await;
    // The `bye` was handled once the third member is told.
    let third = four.last_mut().unwrap();
    while third.next().await["type"] != "peer-left" {}
    assert_eq!(fifth.join("r").await["peers"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn guests_join_the_room_of_their_ticket_and_users_any_existing_room() {
    let world = World::new().await;
    let mut guest = world.guest("Guest", "r").await;
    guest.send(json!({ "type": "join", "room": "other" })).await;
    guest.refused("forbidden").await;
    let room = world.database.room("ada@example.org", false).await;
    let mut bob = world.user("bob@example.org").await;
    bob.send(json!({ "type": "join", "room": "AAAAAAAAAAAAAAAAAAAAAA" })).await;
    bob.refused("room_not_found").await;
    bob.send(json!({ "type": "join", "room": "" })).await;
    bob.refused("room_not_found").await;
    assert_eq!(bob.join(&room).await["room"], json!(room));
}

#[tokio::test]
async fn addresses_are_sent_to_friends_only() {
    let world = World::new().await;
    world.database.connect("ada@example.org", "bob@example.org", "accepted").await;
    world.database.connect("ada@example.org", "eve@example.org", "requested").await;
    let (mut ada, mut bob) = (world.user("ada@example.org").await, world.user("bob@example.org").await);
    let mut eve = world.user("eve@example.org").await;
    let room = world.database.room("ada@example.org", false).await;
    ada.join(&room).await;
    assert_eq!(bob.join(&room).await["peers"][0]["email"], "ada@example.org");
    for peer in eve.join(&room).await["peers"].as_array().unwrap() {
        assert!(peer.get("email").is_none(), "{peer}");
    }
    let messages = ada.settle().await;
    let joined: Vec<_> = messages.iter().filter(|message| message["type"] == "peer-joined").collect();
    assert_eq!(joined[0]["email"], "bob@example.org");
    assert!(joined[1].get("email").is_none());
    assert!(joined.iter().all(|message| message.get("guest").is_none()), "users are no guests: {joined:?}");
}

#[tokio::test]
async fn locked_room_needs_a_knock() {
    let world = World::new().await;
    let mut ada = world.inside("Ada", "r").await;
    ada.send(json!({ "type": "room-lock" })).await;
    assert_eq!(ada.expect("room-lock").await["locked"], true);
    let knock = async |name: &str| {
        let mut bob = world.guest(name, "r").await;
        bob.send(json!({ "type": "join", "room": "r" })).await;
        assert_eq!(bob.expect("knock").await["peer"], json!(bob.peer), "the knock was delivered");
        bob
    };
    let mut bob = knock("Bob").await;
    let heard = ada.expect("knock").await;
    assert_eq!((&heard["peer"], &heard["name"], &heard["guest"]), (&json!(bob.peer), &json!("Bob"), &json!(true)));
    // A knocking peer can do nothing in the room.
    bob.signal(&ada.peer, "x").await;
    bob.refused("not_in_room").await;
    bob.send(json!({ "type": "room-admit", "peer": bob.peer })).await;
    bob.refused("not_in_room").await;
    bob.send(json!({ "type": "room-lock", "locked": false })).await;
    bob.refused("not_in_room").await;
    ada.send(json!({ "type": "room-admit", "peer": bob.peer })).await;
    assert_eq!(bob.expect("joined").await["locked"], true);
    ada.expect("peer-joined").await;
    let mut cat = knock("Cat").await;
    ada.expect("knock").await;
    ada.send(json!({ "type": "room-admit", "peer": cat.peer, "admit": false })).await;
    cat.refused("not_admitted").await;
    assert_eq!(ada.expect("peer-left").await["peer"], json!(cat.peer));
    ada.send(json!({ "type": "room-admit", "peer": cat.peer })).await;
    ada.refused("no_such_peer").await;
    let mut dan = knock("Dan").await;
    ada.expect("knock").await;
    ada.send(json!({ "type": "room-lock", "locked": false })).await;
    dan.expect("joined").await;
}

#[tokio::test]
async fn number_of_knocking_peers_is_limited() {
    let world = World::with(Limits { knocking: 1, ..Limits::default() }).await;
    let mut ada = world.inside("Ada", "r").await;
    ada.send(json!({ "type": "room-lock" })).await;
    ada.expect("room-lock").await;
    let (mut bob, mut cat) = (world.guest("Bob", "r").await, world.guest("Cat", "r").await);
    bob.send(json!({ "type": "join", "room": "r" })).await;
    bob.expect("knock").await;
    cat.send(json!({ "type": "join", "room": "r" })).await;
    assert_eq!(cat.refused("too_many").await["about"], "join");
    bob.send(json!({ "type": "leave" })).await;
    ada.expect("knock").await;
    assert_eq!(ada.expect("peer-left").await["peer"], json!(bob.peer), "another peer may knock");
    cat.send(json!({ "type": "join", "room": "r" })).await;
    cat.expect("knock").await;
}

#[tokio::test]
async fn room_created_locked_opens_to_its_owner_only() {
    let world = World::new().await;
    let room = world.database.room("ada@example.org", true).await;
    let mut bob = Client::welcome(world.address, &world.ticket_of(user("bob@example.org", Some(&room)), 0)).await;
    bob.send(json!({ "type": "join", "room": room })).await;
    bob.expect("knock").await;
    let mut ada = world.user("ada@example.org").await;
    assert_eq!(ada.join(&room).await["locked"], true);
    assert_eq!(ada.expect("knock").await["peer"], json!(bob.peer), "a peer that knocked before is announced");
    ada.send(json!({ "type": "room-admit", "peer": bob.peer })).await;
    bob.expect("joined").await;
}

#[tokio::test]
async fn joining_another_room_leaves_the_first() {
    let world = World::new().await;
    let (one, two) =
        (world.database.room("ada@example.org", false).await, world.database.room("ada@example.org", false).await);
    let (mut ada, mut bob) = (world.user("ada@example.org").await, world.user("bob@example.org").await);
    ada.join(&one).await;
    bob.join(&one).await;
    bob.join(&two).await;
    let messages = ada.settle().await;
    assert_eq!(
        messages.iter().map(|message| message["type"].as_str().unwrap()).collect::<Vec<_>>(),
        ["peer-joined", "peer-left"]
    );
    ada.signal(&bob.peer, "x").await;
    ada.refused("no_such_peer").await;
    assert!(candidates(&bob.settle().await).is_empty());
}
