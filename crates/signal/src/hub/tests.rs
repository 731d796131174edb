//! The lifetime of sessions by the clock passed to the hub, with the default limits.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]

use super::*;
use crate::addresses::Addresses;
use crate::directory::RoomRecord;
use crate::outbox::tests::{waiting_texts, write_all};

const ROOM: &str = "r";

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn hub() -> Hub {
    let limits = Arc::new(Limits::default());
    let bounds = Bounds::new(&limits);
    Hub::new(limits, 4, bounds)
}

fn account() -> Arc<Account> {
    Addresses::default().account([192, 0, 2, 1].into())
}

fn record(locked: bool) -> RoomRecord {
    RoomRecord { owner: "owner@example.org".into(), locked, expires_at: 1000 }
}

fn guest(name: &str) -> Identity {
    Identity { room: Some(ROOM.into()), ..Identity::guest(name) }
}

/// A session in the room.
fn inside(hub: &Hub, name: &str, owner: u64) -> Arc<Session> {
    let mut state = hub.lock();
    let session = state.open(guest(name), &account(), owner, Duration::ZERO).unwrap();
    state.join(session.peer, &ROOM.into(), record(false), 0).unwrap();
    session
}

/// The types of the messages that wait for connection `owner`.
fn types(session: &Session, owner: u64) -> Vec<String> {
    let kind = |text: &String| serde_json::from_str::<serde_json::Value>(text).unwrap()["type"].to_string();
    waiting_texts(&session.outbox, owner).iter().map(kind).collect()
}

/// Lets connection `owner` write everything that waits.
fn written(session: &Session, owner: u64) -> u64 {
    write_all(&session.outbox, owner).len() as u64
}

#[test]
fn session_resumed_after_five_seconds_gets_missed_messages() {
    let hub = hub();
    let (ada, bob) = (inside(&hub, "Ada", 1), inside(&hub, "Bob", 2));
    let seen = written(&bob, 2);
    hub.lock().lose(bob.peer, 2, seconds(100));
    hub.lock().lock_room(ada.peer, true).unwrap();
    hub.lock().lock_room(ada.peer, false).unwrap();
    hub.lock().expire(seconds(105));
    let back = hub.lock().resume(bob.key, Some(&guest("Bob")), &account(), 3, Some(seen)).unwrap();
    assert_eq!(back.peer, bob.peer);
    assert_eq!(types(&back, 3), ["\"room-lock\"", "\"room-lock\""]);
    written(&back, 3);
    // The loss of the first connection no longer counts.
    hub.lock().expire(seconds(131));
    assert_eq!(hub.lock().counts().sessions, 2);
    assert!(types(&back, 3).is_empty());
}

#[test]
fn session_not_resumed_for_thirty_seconds_ends_and_others_are_told() {
    let hub = hub();
    let (ada, bob) = (inside(&hub, "Ada", 1), inside(&hub, "Bob", 2));
    written(&ada, 1);
    hub.lock().lose(bob.peer, 2, seconds(100));
    hub.lock().expire(Duration::from_millis(129_999));
    assert!(types(&ada, 1).is_empty(), "a short loss is not announced");
    hub.lock().expire(seconds(130));
    assert_eq!(types(&ada, 1), ["\"peer-left\""]);
    assert!(hub.lock().resume(bob.key, None, &account(), 3, None).is_none());
    assert_eq!(hub.lock().counts().sessions, 1);
}

#[test]
fn many_lost_sessions_are_ended_in_batches() {
    let hub = hub();
    let count = ENDED_PER_LOCK + 1;
    for owner in 1..=count as u64 {
        let session = hub.lock().open(guest("Guest"), &account(), owner, Duration::ZERO).unwrap();
        hub.lock().lose(session.peer, owner, seconds(100));
    }
    assert!(!hub.lock().expire(seconds(129)));
    assert_eq!(hub.lock().counts().sessions, count);
    assert!(hub.lock().expire(seconds(130)));
    assert_eq!(hub.lock().counts().sessions, 1);
    assert!(!hub.lock().expire(seconds(130)));
    assert_eq!(hub.lock().counts().sessions, 0);
}

#[test]
fn members_of_a_room_that_ends_are_told_and_outside() {
    let hub = hub();
    let (ada, bob) = (inside(&hub, "Ada", 1), inside(&hub, "Bob", 2));
    written(&ada, 1);
    written(&bob, 2);
    hub.lock().end_rooms(seconds(999));
    assert!(types(&ada, 1).is_empty());
    hub.lock().end_rooms(seconds(1000));
    for (session, owner) in [(&ada, 1), (&bob, 2)] {
        assert_eq!(types(session, owner), ["\"error\""]);
        assert_eq!(hub.lock().room_state(session.peer), RoomState::Outside);
    }
    let state = hub.lock();
    assert_eq!((state.counts().rooms, state.room_ends.len()), (0, 0));
}

#[test]
fn room_that_is_left_is_forgotten() {
    let hub = hub();
    let ada = inside(&hub, "Ada", 1);
    hub.lock().leave(ada.peer);
    assert!(hub.lock().room_ends.is_empty());
}

#[test]
fn friends_who_come_at_the_same_time_are_told_once() {
    let hub = hub();
    let (ada, bob): (Arc<str>, Arc<str>) = ("ada@example.org".into(), "bob@example.org".into());
    let open = |email: &Arc<str>, owner| {
        let who = Identity { email: Some(Arc::clone(email)), address: Some(Arc::clone(email)), ..guest("Somebody") };
        hub.lock().open(who, &account(), owner, Duration::ZERO).unwrap()
    };
    let (one, other) = (open(&ada, 1), open(&bob, 2));
    // Both look-ups end only after both have come.
    for (user, friend) in [(&ada, &bob), (&bob, &ada)] {
        hub.lock().befriend(user, &Arc::new([Arc::clone(friend)].into()));
    }
    assert_eq!((types(&one, 1), types(&other, 2)), (vec!["\"presence\"".to_owned()], vec!["\"presence\"".to_owned()]));
}

#[test]
fn friends_beyond_the_memory_for_them_are_not_tracked_and_cost_nobody_theirs() {
    let limits = Arc::new(Limits { all_friends: 3, ..Limits::default() });
    let hub = Hub::new(Arc::clone(&limits), 4, Bounds::new(&limits));
    let mut state = hub.lock();
    let friends = |names: [&str; 2]| Arc::new(names.map(Arc::from).into_iter().collect());
    let mut open = |email: &str| {
        let who = Identity { email: Some(email.into()), address: Some(email.into()), room: None, ..guest(email) };
        state.open(who, &account(), 1, Duration::ZERO).unwrap()
    };
    let (ada, eve, bob) = (open("ada"), open("eve"), open("bob"));
    // Nobody is told of Bob before his own friends were looked up.
    state.befriend(&"bob".into(), &Arc::default());
    for _ in 0..2 {
        state.befriend(&"ada".into(), &friends(["bob", "cat"]));
        state.befriend(&"eve".into(), &friends(["bob", "dan"]));
    }
    assert!(state.has_friends("eve"), "they are not looked up again and again");
    assert_eq!(types(&ada, 1), ["\"presence\""]);
    assert!(types(&eve, 1).is_empty());
    state.end(ada.peer);
    state.befriend(&"eve".into(), &friends(["bob", "dan"]));
    assert_eq!(types(&eve, 1), ["\"presence\""]);
    state.end(eve.peer);
    state.end(bob.peer);
    assert_eq!(state.tracked_friends, 0);
}

#[test]
fn refused_knock_at_an_empty_room_leaves_no_room_behind() {
    let hub = hub();
    let mut state = hub.lock();
    let eve = state.open(guest("Eve"), &account(), 1, Duration::ZERO).unwrap();
    let mut refused = false;
    for _ in 0..10 {
        refused |= state.join(eve.peer, &ROOM.into(), record(true), 0).is_err();
        state.leave(eve.peer);
    }
    assert!(refused);
    assert_eq!(state.counts().rooms, 0);
}
