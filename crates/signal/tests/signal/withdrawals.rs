//! What somebody withdraws ends within seconds, on all servers, and only that.

use std::time::Duration;

use peersync_server::clock::Clock;
use peersync_server::settings::Tables;
use peersync_server::store::{NOTICE_SECONDS, Notice, Operation, Store};
use peersync_server::tickets::Bearer;
use peersync_signal::Limits;
use serde_json::{Value, json};

use crate::client::{Came, Client};
use crate::slow::slow_for;
use crate::world::{STACK, World, member, now, user};

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";
const EVE: &str = "eve@example.org";

/// The servers read often, and nothing is cached.
fn quick() -> Limits {
    Limits {
        notices: Duration::from_millis(100),
        account_cache: Duration::ZERO,
        directory_cache: Duration::ZERO,
        tick: Duration::from_millis(20),
        ..Limits::default()
    }
}

/// Only what a client does makes the server look.
fn blind() -> Limits {
    Limits { notices: Duration::from_secs(3600), ..quick() }
}

async fn befriend(world: &World, one: &str, other: &str) {
    let store = world.database.store();
    for email in [one, other] {
        world.database.account(email).await;
    }
    store.connect(Operation::Ask, one, other, None, now()).await.unwrap();
    store.connect(Operation::Ask, other, one, None, now()).await.unwrap();
}

/// Receives messages until the server has closed the connection, and returns the code.
async fn closed(client: &mut Client) -> (Value, u16) {
    let mut last = Value::Null;
    loop {
        match client.came().await {
            Came::Message(message) => last = message,
            Came::Closed(code) => return (last["code"].clone(), code),
            Came::Gone => panic!("gone after {last}"),
        }
    }
}

/// Receives messages until one has this type.
async fn until(client: &mut Client, kind: &str) -> Value {
    loop {
        let message = client.next().await;
        if message["type"] == kind {
            return message;
        }
    }
}

/// Waits until the server has read the notices twice more.
async fn read_again() {
    tokio::time::sleep(quick().notices * 4).await;
}

#[tokio::test]
async fn account_that_signs_out_everywhere_loses_its_sockets_on_all_servers() {
    let one = World::with(quick()).await;
    let two = World::beside(&one, quick()).await;
    befriend(&one, ADA, BOB).await;
    let old = one.database.account(ADA).await;
    let room = one.database.room(BOB, false).await;
    let mut thieves = [one.member(ADA, &old).await, one.member(ADA, &old).await, two.member(ADA, &old).await];
    let mut bob = one.user(BOB).await;
    bob.join(&room).await;
    thieves[0].join(&room).await;
    let (stolen, resume) = (one.ticket_of(member(ADA, &old), 0), thieves[0].resume.clone());
    one.database.store().end_all_sessions(ADA, now()).await.unwrap();
    for thief in &mut thieves {
        assert_eq!(closed(thief).await, (json!("signed_out"), 4005));
    }
    assert_eq!(until(&mut bob, "peer-left").await["peer"], json!(thieves[0].peer));
    // A ticket from before opens no session, and resumes none.
    for hello in
        [json!({ "ticket": stolen }), json!({ "ticket": one.ticket_of(member(ADA, &old), 0), "resume": resume })]
    {
        let mut thief = Client::connect(one.address).await;
        let mut hello = hello;
        hello["type"] = "hello".into();
        thief.send(hello).await;
        thief.closed_for("signed_out", 4005).await;
    }
    // The owner signs in again and stays, as do others.
    let new = one.database.account(ADA).await;
    assert_ne!(new, old);
    let (mut here, mut there) = (one.member(ADA, &new).await, two.member(ADA, &new).await);
    read_again().await;
    here.settle().await;
    there.settle().await;
    bob.settle().await;
}

#[tokio::test]
async fn signing_out_in_one_browser_ends_the_sockets_of_that_browser() {
    let world = World::with(quick()).await;
    let generation = world.database.account(ADA).await;
    let of = |session: &str| Bearer { session: Some(session.to_owned()), ..member(ADA, &generation) };
    let mut here = Client::welcome(world.address, &world.ticket_of(of("here"), 0)).await;
    let mut there = Client::welcome(world.address, &world.ticket_of(of("there"), 0)).await;
    let notice = Notice::Session(ADA.to_owned(), "here".to_owned());
    world.database.store().announce(&notice, now()).await.unwrap();
    assert_eq!(closed(&mut here).await, (json!("signed_out"), 4005));
    read_again().await;
    assert!(there.settle().await.is_empty());
    let mut again = Client::connect(world.address).await;
    again.send(json!({ "type": "hello", "ticket": world.ticket_of(of("here"), 0) })).await;
    again.closed_for("signed_out", 4005).await;
}

#[tokio::test]
async fn account_that_signed_out_cannot_act_before_the_server_is_told() {
    let world = World::with(blind()).await;
    befriend(&world, ADA, BOB).await;
    let (old, room) = (world.database.account(ADA).await, world.database.room(BOB, false).await);
    let mut bob = world.user(BOB).await;
    bob.join(&room).await;
    let mut thieves = Vec::new();
    for _ in 0..3 {
        thieves.push(world.member(ADA, &old).await);
    }
    bob.send(json!({ "type": "ring", "to": ADA, "room": room })).await;
    until(&mut bob, "ringing").await;
    world.database.store().end_all_sessions(ADA, now()).await.unwrap();
    let ways = [
        json!({ "type": "accept", "room": room }),
        json!({ "type": "join", "room": room }),
        json!({ "type": "ring", "to": BOB, "room": room }),
    ];
    for (thief, way) in thieves.iter_mut().zip(ways) {
        thief.send(way).await;
        assert_eq!(closed(thief).await, (json!("signed_out"), 4005));
    }
    let told = bob.settle().await;
    assert!(told.iter().all(|message| message["type"] != "accepted" && message["type"] != "peer-joined"), "{told:?}");
}

#[tokio::test]
async fn deleted_account_is_gone_and_its_successor_is_somebody_else() {
    let world = World::with(quick()).await;
    befriend(&world, ADA, BOB).await;
    let (old, store) = (world.database.account(ADA).await, world.database.store());
    let (mut ada, mut bob) = (world.member(ADA, &old).await, world.user(BOB).await);
    until(&mut bob, "presence").await;
    store.begin_deletion(ADA, now()).await.unwrap();
    store.forget(ADA, now()).await.unwrap();
    store.delete_user(ADA).await.unwrap();
    assert_eq!(closed(&mut ada).await, (json!("signed_out"), 4005));
    assert_eq!(until(&mut bob, "presence").await["online"], false);
    read_again().await;
    let new = world.database.account(ADA).await;
    let mut old = {
        let mut client = Client::connect(world.address).await;
        client.send(json!({ "type": "hello", "ticket": world.ticket_of(member(ADA, &old), 0) })).await;
        client
    };
    old.closed_for("signed_out", 4005).await;
    let mut ada = world.member(ADA, &new).await;
    read_again().await;
    assert!(ada.settle().await.is_empty());
    assert!(bob.settle().await.is_empty(), "they are not friends");
}

#[tokio::test]
async fn block_looks_like_going_offline_in_all_tabs_on_all_servers() {
    let one = World::with(quick()).await;
    let two = World::beside(&one, quick()).await;
    befriend(&one, ADA, BOB).await;
    let mut tabs = Vec::new();
    let mut adas = Vec::new();
    for world in [&one, &two] {
        adas.push(world.user(ADA).await);
        tabs.push(world.user(BOB).await);
        tabs.push(world.user(BOB).await);
    }
    for bob in &mut tabs {
        let presence = until(bob, "presence").await;
        assert_eq!((&presence["email"], &presence["online"]), (&json!(ADA), &json!(true)));
    }
    // Nobody's client says that friends have changed.
    one.database.store().connect(Operation::Block, ADA, BOB, None, now()).await.unwrap();
    for bob in &mut tabs {
        let presence = until(bob, "presence").await;
        assert_eq!((&presence["email"], &presence["online"]), (&json!(ADA), &json!(false)));
    }
    let mut late = one.user(BOB).await;
    read_again().await;
    tabs.push(late);
    late = two.user(BOB).await;
    tabs.push(late);
    for bob in &mut tabs {
        assert!(bob.settle().await.is_empty(), "nothing follows, and a new tab sees nobody");
    }
    // Nor is Ada told about Bob any more.
    for ada in &mut adas {
        ada.settle().await;
    }
    for bob in &mut tabs {
        bob.send(json!({ "type": "bye" })).await;
    }
    read_again().await;
    for ada in &mut adas {
        assert!(ada.settle().await.is_empty());
    }
}

#[tokio::test]
async fn ring_under_way_ends_for_who_blocks_and_goes_unanswered_for_the_caller() {
    let world = World::with(Limits { ring: Duration::from_secs(2), ..quick() }).await;
    befriend(&world, ADA, BOB).await;
    let room = world.database.room(BOB, false).await;
    let (mut ada, mut bob) = (world.user(ADA).await, world.user(BOB).await);
    bob.join(&room).await;
    bob.send(json!({ "type": "ring", "to": ADA, "room": room })).await;
    until(&mut bob, "ringing").await;
    until(&mut ada, "rung").await;
    let begun = std::time::Instant::now();
    world.database.store().connect(Operation::Block, ADA, BOB, None, now()).await.unwrap();
    assert_eq!(until(&mut ada, "missed").await["from"], BOB);
    assert!(begun.elapsed() < Duration::from_secs(2), "the ring did not run out");
    let mut late = world.user(ADA).await;
    assert!(late.settle().await.is_empty());
    ada.send(json!({ "type": "accept", "room": room })).await;
    until(&mut ada, "error").await;
    // Bob hears that Ada is offline, and later that she did not answer.
    let heard: Vec<_> = [bob.next().await, bob.next().await].iter().map(|message| message["type"].clone()).collect();
    assert_eq!(heard, ["presence", "missed"]);
    bob.send(json!({ "type": "ring", "to": ADA, "room": room })).await;
    assert_eq!(bob.refused("not_friends").await["about"], "ring");
    assert!(ada.settle().await.is_empty());
}

#[tokio::test]
async fn ring_of_several_callers_goes_on_for_those_who_are_still_friends() {
    let world = World::with(quick()).await;
    befriend(&world, ADA, BOB).await;
    befriend(&world, ADA, EVE).await;
    let room = world.database.room(BOB, false).await;
    let (mut ada, mut bob, mut eve) = (world.user(ADA).await, world.user(BOB).await, world.user(EVE).await);
    for caller in [&mut bob, &mut eve] {
        caller.join(&room).await;
        caller.send(json!({ "type": "ring", "to": ADA, "room": room })).await;
        until(caller, "ringing").await;
    }
    assert_eq!(until(&mut ada, "rung").await["from"], BOB);
    world.database.store().connect(Operation::Block, ADA, BOB, None, now()).await.unwrap();
    assert_eq!(until(&mut ada, "missed").await["from"], BOB);
    assert_eq!(until(&mut ada, "rung").await["from"], EVE);
    ada.send(json!({ "type": "accept", "room": room })).await;
    assert_eq!(until(&mut eve, "accepted").await["from"], ADA);
    assert!(bob.settle().await.iter().all(|message| message["type"] != "accepted"));
}

#[tokio::test]
async fn notices_missed_during_an_outage_are_read_after_it() {
    let (database, gate) = slow_for("no such word").await;
    let limits = Limits { directory: Duration::from_millis(500), directory_retry: Duration::ZERO, ..quick() };
    let world = World::with_database(database, limits, 4).await;
    let old = world.database.account(ADA).await;
    let mut thief = world.member(ADA, &old).await;
    gate.close();
    let beside = Store::new(gate.beside.clone(), Tables::of(STACK));
    beside.end_all_sessions(ADA, now()).await.unwrap();
    read_again().await;
    assert!(thief.settle().await.is_empty(), "nobody is thrown out for an outage");
    gate.open();
    assert_eq!(closed(&mut thief).await, (json!("signed_out"), 4005));
}

#[tokio::test]
async fn outage_longer_than_notices_are_kept_hides_no_withdrawal() {
    let (database, gate) = slow_for("no such word").await;
    let clock = Clock::fixed(now());
    let world = World::with_clock(database, Limits { directory_retry: Duration::ZERO, ..quick() }, clock.clone()).await;
    befriend(&world, ADA, BOB).await;
    befriend(&world, BOB, EVE).await;
    let old = world.database.account(ADA).await;
    let (mut thief, mut bob, mut eve) = (world.member(ADA, &old).await, world.user(BOB).await, world.user(EVE).await);
    until(&mut bob, "presence").await;
    until(&mut eve, "presence").await;
    read_again().await;
    gate.close();
    let beside = Store::new(gate.beside.clone(), Tables::of(STACK));
    beside.end_all_sessions(ADA, clock.now()).await.unwrap();
    beside.connect(Operation::Block, BOB, EVE, None, clock.now()).await.unwrap();
    // The notices are in none of the buckets that are read from now on.
    clock.forward(NOTICE_SECONDS + 600);
    read_again().await;
    gate.open();
    assert_eq!(closed(&mut thief).await, (json!("signed_out"), 4005));
    let presence = until(&mut eve, "presence").await;
    assert_eq!((&presence["email"], &presence["online"]), (&json!(BOB), &json!(false)));
}

#[tokio::test]
async fn rows_that_cannot_be_read_delay_no_other_withdrawal() {
    let (database, gate) = slow_for("mallory@").await;
    let limits = Limits { directory: Duration::from_millis(200), ..quick() };
    let world = World::with_database(database, limits, 4).await;
    let beside = Store::new(gate.beside.clone(), Tables::of(STACK));
    befriend(&world, ADA, BOB).await;
    let old = world.database.account(ADA).await;
    let (mut thief, mut bob) = (world.member(ADA, &old).await, world.user(BOB).await);
    let (_mallory, _eve) = (world.user("mallory@example.org").await, world.user(EVE).await);
    until(&mut bob, "presence").await;
    // The attacker's rows never come, and stand in the same batches as those of the others.
    for notice in [Notice::Account("mallory@example.org".into()), Notice::friendship("mallory@example.org", EVE)] {
        beside.announce(&notice, now()).await.unwrap();
    }
    beside.connect(Operation::Block, ADA, BOB, None, now()).await.unwrap();
    assert_eq!(until(&mut bob, "presence").await["online"], false);
    beside.end_all_sessions(ADA, now()).await.unwrap();
    assert_eq!(closed(&mut thief).await, (json!("signed_out"), 4005));
}

#[tokio::test]
async fn room_ends_for_its_members_and_cannot_be_joined_again() {
    let world = World::with(quick()).await;
    world.database.open_room("short", 2).await;
    let ticket = world.ticket_of(user(ADA, Some("short")), 0);
    let mut ada = Client::welcome(world.address, &ticket).await;
    ada.join("short").await;
    let mut bob = world.inside("Bob", "short").await;
    assert_eq!(until(&mut ada, "error").await["code"], "room_not_found");
    bob.refused("room_not_found").await;
    ada.signal(&bob.peer, "late").await;
    ada.refused("not_in_room").await;
    for client in [&mut ada, &mut bob] {
        client.send(json!({ "type": "join", "room": "short" })).await;
        assert_eq!(client.refused("room_not_found").await["about"], "join");
    }
}

#[tokio::test]
async fn ticket_opens_no_room_that_does_not_exist() {
    let world = World::new().await;
    let ticket = world.ticket_of(user(ADA, Some("none")), 0);
    let mut ada = Client::welcome(world.address, &ticket).await;
    ada.send(json!({ "type": "join", "room": "none" })).await;
    assert_eq!(ada.refused("room_not_found").await["about"], "join");
}

#[tokio::test]
async fn ticket_from_before_the_start_is_refused() {
    let world = World::new().await;
    let mut again = Client::connect(world.address).await;
    again.send(json!({ "type": "hello", "ticket": world.ticket_of(user(ADA, None), 5) })).await;
    again.closed_for("ticket_expired", 4001).await;
}
