//! A session outlives its connection: nothing is lost, nothing comes twice, and not for ever. That numbers come without
//! gap or repetition is asserted by the client for every message of every test.

use std::time::Duration;

use peersync_signal::Limits;
use serde_json::json;

use crate::client::{Came, Client, candidates};
use crate::world::{World, guest, user};

#[tokio::test]
async fn what_was_missed_comes_in_order_and_once() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
    ada.expect("peer-joined").await;
    ada.signal(&bob.peer, "1").await;
    bob.expect("signal").await;
    let peer = bob.peer.clone();
    // The connection is gone and nobody but the server knows.
    let dead = std::mem::replace(&mut bob.socket, Client::connect(world.address).await.socket);
    drop(dead);
    for candidate in ["2", "3", "4"] {
        ada.signal(&bob.peer, candidate).await;
    }
    assert!(ada.settle().await.is_empty(), "it is not told that somebody is away for a moment");
    bob.come_back(world.address, &world.ticket_of(guest("Bob", "r"), 0), true).await;
    assert!(bob.resumed);
    assert_eq!(bob.peer, peer);
    assert_eq!(candidates(&bob.settle().await), ["2", "3", "4"]);
    bob.signal(&ada.peer, "back").await;
    assert_eq!(ada.expect("signal").await["from"], json!(peer));
}

#[tokio::test]
async fn what_was_written_but_not_seen_comes_again() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
    ada.expect("peer-joined").await;
    for candidate in ["1", "2", "3"] {
        ada.signal(&bob.peer, candidate).await;
    }
    ada.settle().await;
    // Bob reads one of the three; the others were on their way when his connection broke.
    assert_eq!(bob.expect("signal").await["candidate"]["candidate"], "1");
    bob.come_back(world.address, &world.ticket_of(guest("Bob", "r"), 0), true).await;
    assert_eq!(candidates(&bob.settle().await), ["2", "3"]);
}

#[tokio::test]
async fn without_a_number_only_the_unwritten_comes() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
    ada.signal(&bob.peer, "1").await;
    bob.expect("signal").await;
    bob.come_back(world.address, &world.ticket_of(guest("Bob", "r"), 0), false).await;
    assert!(bob.resumed);
    assert!(bob.settle().await.is_empty());
}

#[tokio::test]
async fn too_late_is_a_new_session() {
    let limits = Limits { resume: Duration::from_millis(200), tick: Duration::from_millis(20), ..Limits::default() };
    let world = World::with(limits).await;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
    ada.expect("peer-joined").await;
    let (peer, old) = (bob.peer.clone(), bob.resume.clone());
    drop(std::mem::replace(&mut bob.socket, Client::connect(world.address).await.socket));
    assert_eq!(ada.expect("peer-left").await["peer"], json!(peer));
    bob.come_back(world.address, &world.ticket_of(guest("Bob", "r"), 0), true).await;
    assert!(!bob.resumed);
    assert_ne!(bob.peer, peer);
    assert_ne!(bob.resume, old);
    bob.signal(&ada.peer, "x").await;
    bob.refused("not_in_room").await;
}

#[tokio::test]
async fn a_session_is_resumed_by_its_own_user_with_its_key_only() {
    let world = World::new().await;
    let mut bob = world.user("bob@example.org").await;
    bob.settle().await;
    let (peer, key) = (bob.peer.clone(), bob.resume.clone());
    let wrong = format!("{}{}", &key[..47], if key.ends_with('0') { '1' } else { '0' });
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
async fn the_new_connection_takes_over_from_one_that_still_stands() {
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
async fn a_number_that_nobody_saw_is_not_believed() {
    let world = World::new().await;
    let mut bob = world.inside("Bob", "r").await;
    let peer = bob.peer.clone();
    bob.seen = 1000;
    bob.come_back(world.address, &world.ticket_of(guest("Bob", "r"), 0), true).await;
    assert!(!bob.resumed);
    assert_ne!(bob.peer, peer);
    assert_eq!(bob.join("r").await["peers"], json!([]), "what cannot go on has ended");
}

#[tokio::test]
async fn leaving_the_page_ends_the_session_and_a_plain_close_does_not() {
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
            bob.come_back(world.address, &world.ticket_of(guest("Bob", "r"), 0), true).await;
            assert!(bob.resumed);
        }
    }
}

#[tokio::test]
async fn a_user_who_comes_back_as_somebody_new_finds_the_place_free() {
    let world = World::made(Limits::default(), 2).await;
    let room = world.database.room("ada@example.org", false).await;
    let (mut ada, mut bob) = (world.user("ada@example.org").await, world.user("bob@example.org").await);
    ada.join(&room).await;
    bob.join(&room).await;
    drop(bob);
    // The server has to notice that the connection is gone: when, is the network's affair.
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
