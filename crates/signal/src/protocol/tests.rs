//! The messages compared with their mirror in the pages.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here is the test's failure")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::*;

const MIRROR: &str = include_str!("../../../../assets/js/protocol.js");

/// Fields by `type`. An optional one ends in `?`.
type Shapes = BTreeMap<String, BTreeSet<String>>;

/// The mirror's messages: every `@typedef {{ type: "…", … }}` below a heading.
fn mirrored(from: &str, to: &str) -> Shapes {
    let part = &MIRROR[MIRROR.find(from).unwrap()..MIRROR.find(to).unwrap()];
    let objects = part.lines().filter_map(|line| line.trim().strip_prefix("* @typedef {{ ")?.split_once(" }}"));
    objects
        .filter_map(|(fields, _)| {
            let fields: Vec<_> = fields.split(", ").map(|field| field.split_once(": ").unwrap()).collect();
            let kind = fields.iter().find(|(name, _)| *name == "type")?.1.trim_matches('"').to_owned();
            let names = fields.iter().map(|(name, _)| (*name).to_owned()).filter(|name| name != "type");
            Some((kind, names.collect()))
        })
        .collect()
}

/// The messages as serde writes them, with all fields and without the optional ones.
fn written<T: Serialize>(full: &[T], least: &[T]) -> Shapes {
    let fields = |message: &T| serde_json::to_value(message).unwrap().as_object().unwrap().clone();
    let mut shapes = Shapes::new();
    for (full, least) in full.iter().map(fields).zip(least.iter().map(fields)) {
        assert_eq!(full["type"], least["type"]);
        let name = |field: &String| if least.contains_key(field) { field.clone() } else { format!("{field}?") };
        let names = full.keys().filter(|field| *field != "type").map(name).collect();
        shapes.insert(full["type"].as_str().unwrap().to_owned(), names);
    }
    shapes
}

fn text() -> String {
    "x".to_owned()
}

fn client(full: bool) -> Vec<ClientMessage> {
    let (some, value) = (full.then(text), full.then(|| json!(1)));
    vec![
        ClientMessage::Hello { ticket: some.clone(), resume: some.clone(), seen: full.then_some(1) },
        ClientMessage::Join { room: text() },
        ClientMessage::Leave,
        ClientMessage::Signal { to: text(), description: value.clone(), candidate: value },
        ClientMessage::Ring { to: text(), room: text() },
        ClientMessage::RingCancel { to: some.clone(), room: some },
        ClientMessage::Accept { room: text() },
        ClientMessage::Reject { room: text() },
        ClientMessage::RoomLock { locked: true },
        ClientMessage::RoomAdmit { peer: text(), admit: true },
        ClientMessage::Outcome { way: Way::Direct },
        ClientMessage::FriendsChanged,
        ClientMessage::Ping,
        ClientMessage::Pong,
        ClientMessage::Bye,
    ]
}

fn server(full: bool) -> Vec<ServerMessage> {
    let (some, value) = (full.then(text), full.then(|| json!(1)));
    let member = || Member { peer: text(), name: text(), email: full.then(text), guest: full, was: full.then(text) };
    vec![
        ServerMessage::Welcome { peer: text(), resume: text(), heartbeat_s: 10, resumed: true },
        ServerMessage::Joined { room: text(), peers: vec![member()], locked: true },
        ServerMessage::PeerJoined(member()),
        ServerMessage::PeerLeft { peer: text() },
        ServerMessage::Signal { from: text(), description: value.clone(), candidate: value },
        ServerMessage::Ringing { to: text(), room: text(), online: true },
        ServerMessage::Rung { from: text(), name: text(), room: text() },
        ServerMessage::Accepted { room: text(), from: some.clone(), peer: some.clone() },
        ServerMessage::Rejected { room: text(), from: some.clone(), peer: some.clone() },
        ServerMessage::Missed { room: text(), from: some.clone(), to: some.clone() },
        ServerMessage::Presence { email: text(), online: true },
        ServerMessage::Knock {
            room: text(),
            peer: text(),
            name: text(),
            email: some.clone(),
            guest: full,
            was: some.clone(),
        },
        ServerMessage::RoomLock { room: text(), locked: true, by: text() },
        ServerMessage::Draining { retry_ms: 1 },
        ServerMessage::Error { code: ErrorCode::BadMessage, message: text(), about: some.clone() },
        ServerMessage::Pong { resume: some },
    ]
}

/// Compares the number of variants in the source with the lists above.
#[test]
fn test_lists_have_every_variant() {
    let kinds: BTreeSet<_> = client(true).iter().map(ClientMessage::kind).collect();
    let (client_part, server_part) = THIS.split_once("pub enum ServerMessage").unwrap();
    let variants = |part: &str| {
        let body = part.split_once("\n}").unwrap().0.to_owned();
        let names = body.lines().filter(|line| line.starts_with("    ") && !line.starts_with("     "));
        names.filter(|line| line.trim().starts_with(|first: char| first.is_ascii_uppercase())).count()
    };
    assert_eq!(kinds.len(), variants(client_part.split_once("pub enum ClientMessage").unwrap().1));
    assert_eq!(server(true).len(), variants(server_part));
}

const THIS: &str = include_str!("../protocol.rs");

#[test]
fn pages_mirror_client_messages() {
    let mut shapes = written(&client(true), &client(false));
    // The pages may omit fields with a default.
    for (kind, field) in [("room-lock", "locked"), ("room-admit", "admit")] {
        let fields = shapes.get_mut(kind).unwrap();
        assert!(fields.remove(field));
        fields.insert(format!("{field}?"));
    }
    assert_eq!(mirrored("Messages from the browser.", "Messages to the browser."), shapes);
}

#[test]
fn pages_mirror_server_messages() {
    assert_eq!(
        mirrored("Messages to the browser.", "Why a message was refused."),
        written(&server(true), &server(false))
    );
}

#[test]
fn pages_mirror_error_codes() {
    let part = &MIRROR[MIRROR.find("@typedef {\"bad_message\"").unwrap()..];
    let part = &part[..part.find('}').unwrap()];
    let mirrored: BTreeSet<_> = part.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    let body = THIS.split_once("pub enum ErrorCode {").unwrap().1.split_once("\n}").unwrap().0;
    let names = body.lines().filter_map(|line| line.trim().strip_suffix(','));
    let codes: BTreeSet<String> = names
        .map(|name| {
            let code: ErrorCode = serde_json::from_value(json!(snake(name))).unwrap();
            serde_json::to_value(code).unwrap().as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(mirrored, codes);
}

#[test]
fn every_message_round_trips_as_json() {
    for full in [true, false] {
        for message in client(full) {
            let text = serde_json::to_string(&message).unwrap();
            assert_eq!(serde_json::from_str::<ClientMessage>(&text).unwrap(), message, "{text}");
        }
        for message in server(full) {
            let text = message.to_json();
            assert!(
                text.starts_with(r#"{"type":""#),
                "the type must come first, so that `seq` can be put in front: {text}"
            );
            assert_eq!(serde_json::from_str::<ServerMessage>(&text).unwrap(), message, "{text}");
        }
    }
}

fn snake(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}
