//! The lifetime of sessions by the clock passed to the hub, with the default limits.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]

use super::*;
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

fn guest(name: &str) -> Identity {
    Identity { email: None, address: None, generation: None, sign_in: None, name: name.into(), room: Some(ROOM.into()) }
}

/// A session in the room.
fn inside(hub: &Hub, name: &str, owner: u64) -> Arc<Session> {
    let mut state = hub.lock();
    let session = state.open(guest(name), owner, Duration::ZERO).unwrap();
    let record = RoomRecord { owner: "owner@example.org".into(), locked: false, expires_at: 1000 };
    state.join(session.peer, &ROOM.into(), record).unwrap();
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
    let back = hub.lock().resume(bob.key, &guest("Bob"), 3, Some(seen)).unwrap();
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
    assert!(hub.lock().resume(bob.key, &guest("Bob"), 3, None).is_none());
    assert_eq!(hub.lock().counts().sessions, 1);
}

#[test]
fn many_lost_sessions_are_ended_in_batches() {
    let hub = hub();
    let count = ENDED_PER_LOCK + 1;
    for owner in 1..=count as u64 {
        let session = hub.lock().open(guest("Guest"), owner, Duration::ZERO).unwrap();
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
    hub.lock().end_rooms(999);
    assert!(types(&ada, 1).is_empty());
    hub.lock().end_rooms(1000);
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
