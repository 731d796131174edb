//! A client goes on at the next server without a ticket, as the one that it was, and as nobody else.

use std::sync::Arc;
use std::time::Duration;

use peersync_server::clock::Clock;
use peersync_server::secrets::{LiveSecrets, Secret, Secrets};
use peersync_server::store::{Notice, Operation};
use peersync_server::tickets::{Bearer, REENTRY_SECONDS, Stated, TicketKey, TicketKeys};
use peersync_signal::Limits;
use serde_json::{Value, json};

use crate::client::{Came, Client};
use crate::world::{STACK, World, guest, member, now, secrets, user};

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";
/// base64url of 32 bytes.
const OTHER_KEY: &str = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA";

/// Looks at the database often, and forgets at once what it has read.
fn quick() -> Limits {
    Limits {
        notices: Duration::from_millis(50),
        account_cache: Duration::ZERO,
        directory_cache: Duration::ZERO,
        tick: Duration::from_millis(20),
        ..Limits::default()
    }
}

/// Connects with this `resume`, and is refused.
async fn refused(world: &World, resume: &str) -> String {
    let mut client = Client::connect(world.address).await;
    client.send(json!({ "type": "hello", "resume": resume })).await;
    let code = client.expect("error").await["code"].as_str().unwrap().to_owned();
    assert!(matches!(client.came().await, Came::Closed(4001 | 4005)));
    code
}

#[tokio::test]
async fn session_is_resumed_by_its_key_alone() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
    ada.expect("peer-joined").await;
    let peer = bob.peer.clone();
    drop(std::mem::replace(&mut bob.socket, Client::connect(world.address).await.socket));
    ada.signal(&bob.peer, "missed").await;
    bob.return_to(world.address).await;
    bob.welcomed().await;
    assert!(bob.resumed && bob.peer == peer);
    assert_eq!(bob.expect("signal").await["candidate"]["candidate"], "missed");
    assert!(ada.settle().await.is_empty());
}

#[tokio::test]
async fn people_of_a_room_go_on_at_the_next_server_as_they_were() {
    let one = World::with(quick()).await;
    let two = World::beside(&one, quick()).await;
    let generations = [one.database.account(ADA).await, one.database.account(BOB).await];
    let store = one.database.store();
    store.connect(Operation::Ask, ADA, BOB, None, now()).await.unwrap();
    store.connect(Operation::Ask, BOB, ADA, None, now()).await.unwrap();
    let room = one.database.room(ADA, false).await;
    let (mut ada, mut bob) = (one.member(ADA, &generations[0]).await, one.member(BOB, &generations[1]).await);
    let mut gus = one.guest("Gus", &room).await;
    let former = [bob.peer.clone(), gus.peer.clone()];
    for client in [&mut ada, &mut bob, &mut gus] {
        client.return_to(two.address).await;
        client.welcomed().await;
        assert!(!client.resumed);
        client.join(&room).await;
    }
    ada.send(json!({ "type": "join", "room": room })).await;
    let listed = loop {
        let message = ada.next().await;
        if message["type"] == "joined" {
            break message["peers"].clone();
        }
    };
    let told: Vec<_> =
        listed.as_array().unwrap().iter().map(|one| (&one["name"], &one["email"], &one["guest"])).collect();
    let bobs = (&json!("bob"), &json!(BOB), &Value::Null);
    assert_eq!(told, [bobs, (&json!("Gus"), &Value::Null, &json!(true))]);
    let was: Vec<_> = listed.as_array().unwrap().iter().map(|one| one["was"].as_str().unwrap()).collect();
    assert_eq!(was, former);
    gus.send(json!({ "type": "join", "room": "another" })).await;
    loop {
        let message = gus.next().await;
        if message["type"] == "error" {
            assert_eq!(message["code"], "forbidden", "a guest stays in the room of the ticket");
            break;
        }
    }
}

#[tokio::test]
async fn former_id_is_told_of_those_who_knock_too_and_is_that_of_the_reentry() {
    let one = World::new().await;
    let two = World::beside(&one, Limits::default()).await;
    let (mut ada, mut gus) = (one.inside("Ada", "r").await, one.inside("Gus", "r").await);
    assert!(ada.expect("peer-joined").await["was"].is_null(), "nobody was anywhere before");
    let hers = ada.resume.clone();
    ada.return_to(two.address).await;
    ada.welcomed().await;
    ada.join("r").await;
    ada.send(json!({ "type": "room-lock", "locked": true })).await;
    ada.expect("room-lock").await;
    // What precedes the re-entry is not signed, and names whomever the client likes.
    let (was, reentry) = (gus.peer.clone(), gus.resume.split_off(48));
    gus.resume = format!("{}{reentry}", &hers[..48]);
    gus.return_to(two.address).await;
    gus.welcomed().await;
    gus.send(json!({ "type": "join", "room": "r" })).await;
    let knock = ada.expect("knock").await;
    assert_eq!((knock["name"].as_str(), knock["was"].as_str()), (Some("Gus"), Some(was.as_str())));
}

#[tokio::test]
async fn reentry_is_accepted_once_by_each_other_server_and_never_by_the_one_that_stated_it() {
    let one = World::with(quick()).await;
    let two = World::beside(&one, quick()).await;
    let three = World::beside(&one, quick()).await;
    let mut bob = one.inside("Bob", "r").await;
    let first = bob.resume.clone();
    bob.send(json!({ "type": "bye" })).await;
    while bob.came().await != Came::Gone {}
    assert_eq!(refused(&one, &first).await, "ticket_expired", "its session has ended here");
    bob.return_to(two.address).await;
    bob.welcomed().await;
    let second = bob.resume.clone();
    assert_ne!(first, second);
    assert_eq!(refused(&two, &first).await, "ticket_expired", "a copy is of no use");
    // Nor do the sessions that continue one multiply at a server.
    bob.return_to(three.address).await;
    bob.welcomed().await;
    assert_eq!(refused(&three, &second).await, "ticket_expired");
    assert_eq!(refused(&three, &first).await, "ticket_expired");
    // Back at the first, if the address moves back.
    bob.return_to(one.address).await;
    bob.welcomed().await;
    assert_eq!(refused(&one, &second).await, "ticket_expired");
}

#[tokio::test]
async fn nothing_else_lets_anybody_in() {
    let one = World::new().await;
    let two = World::beside(&one, Limits::default()).await;
    let bob = one.guest("Bob", "r").await;
    let (key, reentry) = bob.resume.split_at(48);
    let other_key = TicketKeys::new(STACK, TicketKey::parse(OTHER_KEY).unwrap(), None);
    let other_stack = TicketKeys::new("another", TicketKey::parse(crate::world::TICKET_KEY).unwrap(), None);
    let keys = crate::world::keys();
    let stated = |keys: &TicketKeys, at| {
        let stated = Stated { lineage: "session", server: "server", peer: "0f1e2d3c4b5a6978".to_owned() };
        keys.issue_reentry(user(ADA, None), stated, at).unwrap()
    };
    for reentry in [
        String::new(),
        "x".to_owned(),
        reentry.replace("eyJ", "eyK"),
        "e".repeat(5000),
        two.ticket_of(guest("Bob", "r"), 0),
        stated(&other_key, now()),
        stated(&other_stack, now()),
        stated(&keys, now() - REENTRY_SECONDS),
        stated(&keys, now() + 60),
    ] {
        assert_eq!(refused(&two, &format!("{key}{reentry}")).await, "ticket_expired", "{reentry}");
    }
    for hello in [json!({ "type": "hello" }), json!({ "type": "hello", "seen": 3 })] {
        let mut client = Client::connect(two.address).await;
        client.send(hello).await;
        client.closed_for("ticket_expired", 4001).await;
    }
    // A re-entry is no ticket.
    let mut client = Client::connect(two.address).await;
    client.send(json!({ "type": "hello", "ticket": stated(&keys, now()) })).await;
    client.closed_for("ticket_invalid", 4001).await;
}

#[tokio::test]
async fn whoever_has_signed_out_does_not_return() {
    // It is not told itself.
    let one = World::with(Limits { notices: Duration::from_secs(3600), ..quick() }).await;
    let generation = one.database.account(ADA).await;
    let of = |session: &str| Bearer { session: Some(session.to_owned()), ..member(ADA, &generation) };
    let mut here = Client::welcome(one.address, &one.ticket_of(of("here"), 0)).await;
    let there = Client::welcome(one.address, &one.ticket_of(of("there"), 0)).await;
    // In this browser alone, minutes before the server changes.
    let ended = Notice::Session(ADA.to_owned(), "here".to_owned());
    one.database.store().announce(&ended, now() - 200).await.unwrap();
    let two = World::beside(&one, quick()).await;
    here.return_to(two.address).await;
    let mut last = here.next().await;
    while last["type"] != "error" {
        last = here.next().await;
    }
    assert_eq!((&last["code"], here.came().await), (&json!("signed_out"), Came::Closed(4005)));
    // Everywhere.
    one.database.store().end_all_sessions(ADA, now()).await.unwrap();
    assert_eq!(refused(&two, &there.resume).await, "signed_out");
}

#[tokio::test]
async fn connected_client_is_given_another_before_the_first_expires() {
    let one = World::with(Limits { reentry: Duration::from_millis(50), ..quick() }).await;
    let clock = Clock::fixed(now() + REENTRY_SECONDS - 10);
    let two = World::beside_with_clock(&one, quick(), clock.clone()).await;
    let mut bob = one.inside("Bob", "r").await;
    let first = bob.resume.clone();
    bob.send(json!({ "type": "ping" })).await;
    assert!(bob.expect("pong").await.get("resume").is_none(), "the first is new");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    bob.send(json!({ "type": "ping" })).await;
    let renewed = bob.expect("pong").await["resume"].as_str().unwrap().to_owned();
    assert_ne!(renewed, first);
    assert_eq!(renewed[..48], first[..48], "the key stays");
    clock.forward(10);
    assert_eq!(refused(&two, &first).await, "ticket_expired");
    bob.resume = renewed;
    bob.return_to(two.address).await;
    bob.welcomed().await;
}

#[tokio::test]
async fn reentry_is_accepted_after_the_ticket_key_was_rotated() {
    let one = World::new().await;
    let new = Secrets {
        ticket_key: Some(Secret::new(OTHER_KEY)),
        ticket_key_written: now(),
        ticket_key_previous: Some(Secret::new(crate::world::TICKET_KEY)),
        ticket_key_previous_written: now(),
        ..secrets()
    };
    let two = World::beside_with_secrets(&one, Arc::new(LiveSecrets::fixed(new))).await;
    let mut bob = one.guest("Bob", "r").await;
    bob.return_to(two.address).await;
    bob.welcomed().await;
    // What the next server states is known to one that has not read the new key yet.
    let three = World::beside(&one, Limits::default()).await;
    bob.return_to(three.address).await;
    bob.welcomed().await;
}
