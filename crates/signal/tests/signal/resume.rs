//! A session outlives its connection for a while, without loss or duplicates. The client asserts for every message of
//! every test that numbers have no gap and no repetition.

use std::time::Duration;

use peersync_signal::Limits;
use serde_json::json;

use crate::client::{Came, Client, candidates};
use crate::world::{World, guest, user};

#[tokio::test]
async fn missed_messages_come_in_order_and_once() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
    ada.expect("peer-joined").await;
    ada.signal(&bob.peer, "1").await;
    bob.expect("signal").await;
    let peer = bob.peer.clone();
    // Only the server knows that the connection is gone.
    let dead = std::mem::replace(&mut bob.socket, Client::connect(world.address).await.socket);
    drop(dead);
    for candidate in ["2", "3", "4"] {
        ada.signal(&bob.peer, candidate).await;
    }
    assert!(ada.settle().await.is_empty(), "it is not told that somebody is away for a moment");
    bob.reconnect(world.address, &world.ticket_of(guest("Bob", "r"), 0), true).await;
    assert!(bob.resumed);
    assert_eq!(bob.peer, peer);
    assert_eq!(candidates(&bob.settle().await), ["2", "3", "4"]);
    bob.signal(&ada.peer, "back").await;
    assert_eq!(ada.expect("signal").await["from"], json!(peer));
}

#[tokio::test]
async fn written_but_unseen_messages_are_sent_again() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
    ada.expect("peer-joined").await;
    for candidate in ["1", "2", "3"] {
        ada.signal(&bob.peer, candidate).await;
    }
    ada.settle().await;
    // Bob reads one of the three. The others are in transit when his connection breaks.
    assert_eq!(bob.expect("signal").await["candidate"]["candidate"], "1");
    bob.reconnect(world.address, &world.ticket_of(guest("Bob", "r"), 0), true).await;
    assert_eq!(candidates(&bob.settle().await), ["2", "3"]);
}

#[tokio::test]
async fn resume_without_a_number_sends_unwritten_messages_only() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
    ada.signal(&bob.peer, "1").await;
    bob.expect("signal").await;
    bob.reconnect(world.address, &world.ticket_of(guest("Bob", "r"), 0), false).await;
    assert!(bob.resumed);
    assert!(bob.settle().await.is_empty());
}

#[tokio::test]
async fn resume_after_the_timeout_begins_a_new_session() {
    let limits = Limits { resume: Duration::from_millis(200), tick: Duration::from_millis(20), ..Limits::default() };
    let world = World::with(limits).await;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
    ada.expect("peer-joined").await;
    let (peer, old) = (bob.peer.clone(), bob.resume.clone());
    drop(std::mem::replace(&mut bob.socket, Client::connect(world.address).await.socket));
    assert_eq!(ada.expect("peer-left").await["peer"], json!(peer));
    bob.reconnect(world.address, &world.ticket_of(guest("Bob", "r"), 0), true).await;
    assert!(!bob.resumed);
    assert_ne!(bob.peer, peer);
    assert_ne!(bob.resume, old);
    bob.signal(&ada.peer, "x").await;
    bob.refused("not_in_room").await;
}

#[tokio::test]
async fn session_is_resumed_only_by_its_user_with_its_key() {
    let world = World::new().await;
    let mut bob = world.user("bob@example.org").await;
    bob.settle().await;
    let (peer, key) = (bob.peer.clone(), bob.resume.clone());
    let wrong = format!("{}{}{}", &key[..47], if key[..48].ends_with('0') { '1' } else { '0' }, &key[48..]);
    for (who, key) in [("eve@example.org", key.as_str()), ("bob@example.org", &wrong), ("bob@example.org", "x")] {
        let mut other = Client::connect(world.address).await;
        let ticket = world.ticket_of(user(who, None), 0);
        other.send(json!({ "type": "hello", "ticket": ticket, "resume": key, "seen": 0 })).await;
        other.welcomed().await;
        assert!(!other.resumed, "{who} {key}");
        assert_ne!(other.peer, peer);
    }
    assert!(bob.settle().await.is_empty(), "the attempts have not harmed the session");
}

#[tokio::test]
async fn new_connection_takes_over_from_an_open_one() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
    let mut second = Client::connect(world.address).await;
    let ticket = world.ticket_of(guest("Bob", "r"), 0);
    second.seen = bob.seen;
    second.send(json!({ "type": "hello", "ticket": ticket, "resume": bob.resume, "seen": bob.seen })).await;
    second.welcomed().await;
    assert!(second.resumed);
    assert_eq!(bob.came().await, Came::Closed(4002));
    ada.signal(&second.peer, "x").await;
    assert_eq!(candidates(&second.settle().await), ["x"]);
}

#[tokio::test]
async fn number_of_an_unsent_message_is_refused() {
    let world = World::new().await;
    let mut bob = world.inside("Bob", "r").await;
    let peer = bob.peer.clone();
    bob.seen = 1000;
    bob.reconnect(world.address, &world.ticket_of(guest("Bob", "r"), 0), true).await;
    assert!(!bob.resumed);
    assert_ne!(bob.peer, peer);
    assert_eq!(bob.join("r").await["peers"], json!([]), "what cannot go on has ended");
}

#[tokio::test]
async fn going_away_ends_the_session_and_a_plain_close_does_not() {
    use tokio_tungstenite::tungstenite::protocol::CloseFrame;
    let world = World::new().await;
    let mut ada = world.inside("Ada", "r").await;
    for (code, ends) in [(1001, true), (1000, false)] {
        let mut bob = world.inside("Bob", "r").await;
        ada.expect("peer-joined").await;
        bob.socket.close(Some(CloseFrame { code: code.into(), reason: "".into() })).await.unwrap();
        while bob.came().await != Came::Gone {}
        if ends {
            ada.expect("peer-left").await;
        } else {
            assert!(ada.settle().await.is_empty());
            bob.reconnect(world.address, &world.ticket_of(guest("Bob", "r"), 0), true).await;
            assert!(bob.resumed);
        }
    }
}

#[tokio::test]
async fn returning_user_replaces_the_own_lost_session() {
    let world = World::with_capacity(Limits::default(), 2).await;
    let room = world.database.room("ada@example.org", false).await;
    let (mut ada, mut bob) = (world.user("ada@example.org").await, world.user("bob@example.org").await);
    ada.join(&room).await;
    bob.join(&room).await;
    drop(bob);
    // When the server notices that the connection is gone depends on the network.
    loop {
        let mut again = world.user("bob@example.org").await;
        again.send(json!({ "type": "join", "room": room })).await;
        let answer = again.next().await;
        again.send(json!({ "type": "bye" })).await;
        if answer["type"] == "joined" {
            assert_eq!(answer["peers"][0]["peer"], json!(ada.peer));
            return;
        }
        assert_eq!(answer["code"], "room_full");
    }
}
