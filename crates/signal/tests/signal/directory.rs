//! DynamoDB is unavailable, or slow for one user.

use std::time::Duration;

use peersync_server::store::Operation;
use peersync_signal::Limits;
use serde_json::json;

use crate::client::Client;
use crate::slow::slow_for;
use crate::world::{Database, World, member, now, user};

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";
const EVE: &str = "eve@example.org";

#[tokio::test]
async fn calls_and_joins_work_without_database_and_rings_are_refused() {
    // Nobody is told by the server itself in this time.
    let world = World::with(Limits { notices: Duration::from_secs(3600), ..Limits::default() }).await;
    world.database.connect(ADA, BOB, "accepted").await;
    let room = world.database.room(ADA, false).await;
    let (mut ada, mut bob) = (world.user(ADA).await, world.user(BOB).await);
    let mut dan = world.user("dan@example.org").await;
    ada.join(&room).await;
    bob.join(&room).await;
    ada.settle().await;
    world.database.stop().await;
    ada.signal(&bob.peer, "x").await;
    bob.expect("signal").await;
    ada.send(json!({ "type": "ring", "to": BOB, "room": room })).await;
    let error = ada.refused("directory_unavailable").await;
    assert_eq!(error["about"], "ring");
    assert!(error["message"].as_str().unwrap().contains("try again"), "{error}");
    // The room is known, because somebody is inside.
    dan.join(&room).await;
    assert_eq!(world.inside("Cat", &room).await.settle().await.len(), 0);
    assert!(bob.settle().await.iter().any(|message| message["type"] == "peer-joined"));
}

#[tokio::test]
async fn members_are_told_of_an_outage_and_others_are_not() {
    let world = World::with(Limits { notices: Duration::from_millis(20), ..Limits::default() }).await;
    let room = world.database.room(ADA, true).await;
    let (mut ada, mut guest, mut bob) = (world.user(ADA).await, world.guest("Eve", &room).await, world.user(BOB).await);
    ada.join(&room).await;
    guest.send(json!({ "type": "join", "room": room })).await;
    guest.expect("knock").await;
    ada.expect("knock").await;
    world.database.stop().await;
    let error = ada.refused("directory_unavailable").await;
    assert!(error.get("about").is_none(), "{error}");
    for other in [&mut guest, &mut bob] {
        assert!(other.settle().await.iter().all(|message| message["type"] != "error"), "nothing is over for them");
    }
}

#[tokio::test]
async fn no_door_opens_while_the_database_is_away() {
    let world = World::with(Limits { account_cache: Duration::ZERO, ..Limits::default() }).await;
    let generation = world.database.account(ADA).await;
    let locked = world.database.room(ADA, true).await;
    let (mut before, mut ada) = (world.guest("Eve", &locked).await, world.member(ADA, &generation).await);
    world.database.stop().await;
    // The attacker was connected before, or comes with a ticket from before.
    let mut late = world.guest("Eve", &locked).await;
    for guest in [&mut before, &mut late] {
        guest.send(json!({ "type": "join", "room": locked })).await;
        assert_eq!(guest.refused("directory_unavailable").await["about"], "join");
    }
    ada.send(json!({ "type": "join", "room": locked })).await;
    assert_eq!(ada.refused("directory_unavailable").await["about"], "join");
    let mut again = Client::connect(world.address).await;
    let ticket = world.ticket_of(member(ADA, &generation), 0);
    again.send(json!({ "type": "hello", "ticket": ticket })).await;
    again.closed_for("directory_unavailable", 1013).await;
    // The victim's session goes on, also on another connection.
    let ticket = world.ticket_of(member(ADA, &generation), 0);
    ada.reconnect(world.address, &ticket, true).await;
    assert!(ada.resumed);
}

#[tokio::test]
async fn database_that_never_answers_is_waited_for_once() {
    let limits = Limits {
        directory: Duration::from_millis(100),
        directory_retry: Duration::from_secs(3600),
        notices: Duration::from_millis(10),
        ..Limits::default()
    };
    let world = World::with_database(Database::silent().await, limits, 4).await;
    let mut cat = Client::welcome(world.address, &world.ticket_of(user("cat@example.org", Some("r")), 0)).await;
    let failures = async || {
        let metrics = crate::entrance::get(&world, "/metrics", "").await;
        let count = metrics.lines().find_map(|line| line.strip_prefix("peersync_signal_directory_errors_total "));
        count.unwrap().parse::<u32>().unwrap()
    };
    // The server has noticed by itself.
    while failures().await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    cat.settle().await;
    let begun = std::time::Instant::now();
    for _ in 0..90 {
        cat.send(json!({ "type": "join", "room": "r" })).await;
        cat.refused("directory_unavailable").await;
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "ninety look-ups do not wait for ninety times 100 ms");
}

#[tokio::test]
async fn slow_look_ups_of_one_user_cost_that_user_alone() {
    let (database, _gate) = slow_for(EVE).await;
    let limits = Limits { directory: Duration::from_millis(300), ..Limits::default() };
    let world = World::with_database(database, limits, 4).await;
    let store = world.database.store();
    for email in [ADA, BOB] {
        world.database.account(email).await;
    }
    store.connect(Operation::Ask, ADA, BOB, None, now()).await.unwrap();
    store.connect(Operation::Ask, BOB, ADA, None, now()).await.unwrap();
    let room = world.database.room(ADA, false).await;
    let (mut ada, _bob) = (world.user(ADA).await, world.user(BOB).await);
    ada.join(&room).await;
    let mut attackers = Vec::new();
    for _ in 0..8 {
        attackers.push(world.user(EVE).await);
    }
    for round in 0..9 {
        for eve in &mut attackers {
            eve.send(json!({ "type": "friends-changed" })).await;
            eve.send(json!({ "type": "ring", "to": ADA, "room": room })).await;
        }
        ada.send(json!({ "type": "ring", "to": BOB, "room": room })).await;
        loop {
            let answer = ada.next().await;
            if answer["type"] != "presence" {
                assert_eq!(answer["type"], "ringing", "ring {round}: {answer}");
                break;
            }
        }
    }
    assert_eq!(attackers[0].refused("directory_unavailable").await["about"], "ring");
}
