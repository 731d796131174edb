//! Clients that send too much, or read too little.

use std::time::Duration;

use futures::SinkExt as _;
use peersync_signal::Limits;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Came, candidates};
use crate::world::World;

#[tokio::test]
async fn message_of_64_kib_passes_and_one_byte_more_does_not() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
    ada.expect("peer-joined").await;
    let message = |size: usize| {
        let frame = json!({ "type": "signal", "to": bob.peer, "description": "" }).to_string();
        frame.replace("\"\"", &format!("\"{}\"", "x".repeat(size - frame.len())))
    };
    let (largest, larger) = (message(65_536), message(65_537));
    assert_eq!(largest.len(), 65_536);
    ada.send_text(largest).await;
    bob.expect("signal").await;
    // The server may close before it has read everything.
    let _ = ada.socket.send(Message::text(larger)).await;
    ada.closed_for("too_large", 1009).await;
    assert!(bob.settle().await.is_empty());
}

#[tokio::test]
async fn oversized_message_is_refused_by_its_header() {
    let world = World::new().await;
    let mut ada = world.inside("Ada", "r").await;
    // Only the header of a masked text frame of 65 KiB.
    let head = [0x81, 0xff, 0, 0, 0, 0, 0, 1, 0x04, 0x00, 1, 2, 3, 4];
    ada.socket.get_mut().write_all(&head).await.unwrap();
    ada.closed_for("too_large", 1009).await;
}

#[tokio::test]
async fn fragments_count_as_one_message() {
    let world = World::new().await;
    let mut ada = world.inside("Ada", "r").await;
    let fragment = |first: u8| {
        let mut frame = vec![first, 0x80 | 126, 0x40, 0x00, 0, 0, 0, 0];
        frame.extend([b'x'; 0x4000]);
        frame
    };
    ada.socket.get_mut().write_all(&fragment(0x01)).await.unwrap();
    for _ in 0..4 {
        // The connection may be closed before the last ones.
        let _ = ada.socket.get_mut().write_all(&fragment(0x00)).await;
    }
    ada.closed_for("too_large", 1009).await;
}

#[tokio::test]
async fn messages_split_and_batched_by_tcp_are_read() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
    let frame = |name: &str| {
        let text = json!({ "type": "signal", "to": bob.peer, "candidate": { "candidate": name } }).to_string();
        let head = [0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
        [head.as_slice(), text.as_bytes()].concat()
    };
    let names: Vec<_> = (0..30).map(|number| number.to_string()).collect();
    let heap: Vec<u8> = names.iter().flat_map(|name| frame(name)).collect();
    // One message byte by byte, nine at once with a part of the next, the rest in pieces of prime length.
    let first = frame("0").len();
    for byte in &heap[..first] {
        ada.socket.get_mut().write_all(&[*byte]).await.unwrap();
    }
    let (together, rest) = heap[first..].split_at(first * 9 + 11);
    ada.socket.get_mut().write_all(together).await.unwrap();
    for piece in rest.chunks(53) {
        ada.socket.get_mut().write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    ada.settle().await;
    assert_eq!(candidates(&bob.settle().await), names);
}

#[tokio::test]
async fn pings_are_answered_and_count_as_messages() {
    let limits = Limits { burst: 3, pace: Duration::from_secs(30), flood: 2, ..Limits::default() };
    let world = World::with(limits).await;
    let mut ada = world.guest("Ada", "r").await;
    for number in 0..6_u8 {
        // The connection may be closed before the last one.
        let _ = ada.socket.feed(Message::Ping(vec![number].into())).await;
    }
    let _ = ada.socket.flush().await;
    let mut pongs = Vec::new();
    while let Some(Ok(message)) = futures::StreamExt::next(&mut ada.socket).await {
        match message {
            Message::Pong(payload) => pongs.push(payload[0]),
            // The server's own heartbeat may fall into it.
            Message::Ping(_) => {}
            Message::Close(frame) => assert_eq!(u16::from(frame.unwrap().code), 4029),
            other => assert!(other.to_text().unwrap().contains("rate_limited"), "{other}"),
        }
    }
    assert_eq!(pongs, [0, 1, 2]);
}

#[tokio::test]
async fn flood_is_dropped_and_then_closed() {
    let limits = Limits { burst: 10, pace: Duration::from_secs(30), flood: 5, ..Limits::default() };
    let world = World::with(limits).await;
    let mut ada = world.guest("Ada", "r").await;
    for _ in 0..40 {
        // The connection may be closed before the last ones.
        let _ = ada.socket.feed(Message::text(r#"{"type":"ping"}"#)).await;
    }
    let _ = ada.socket.flush().await;
    let (mut pongs, mut errors) = (0, 0);
    let closed = loop {
        match ada.came().await {
            Came::Message(message) if message["type"] == "pong" => pongs += 1,
            Came::Message(message) => {
                assert_eq!(message["code"], "rate_limited");
                errors += 1;
            }
            closed => break closed,
        }
    };
    assert_eq!(closed, Came::Closed(4029));
    // Five dropped messages, and the last error.
    assert_eq!((pongs, errors), (10, 6));
}

#[tokio::test]
async fn reconnecting_does_not_refill_the_bucket() {
    let limits = Limits { burst: 10, pace: Duration::from_secs(30), flood: 50, ..Limits::default() };
    let world = World::with(limits).await;
    let mut ada = world.guest("Ada", "r").await;
    for _ in 0..10 {
        ada.settle().await;
    }
    let ticket = world.ticket_of(crate::world::guest("Ada", "r"), 0);
    ada.reconnect(world.address, &ticket, true).await;
    assert!(ada.resumed);
    ada.send(json!({ "type": "ping" })).await;
    ada.refused("rate_limited").await;
}

#[tokio::test]
async fn burst_of_candidates_passes() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
    let names: Vec<_> = (0..90).map(|number| number.to_string()).collect();
    for name in &names {
        ada.signal(&bob.peer, name).await;
    }
    ada.settle().await;
    assert_eq!(candidates(&bob.settle().await), names);
}

#[tokio::test]
async fn slow_reader_is_closed_and_others_continue() {
    let limits = Limits {
        queue_bytes: 256 * 1024,
        write: Duration::from_millis(300),
        burst: 100_000,
        tick: Duration::from_millis(20),
        ..Limits::default()
    };
    let world = World::with(limits).await;
    let (mut ada, bob, mut cat) =
        (world.inside("Ada", "r").await, world.inside("Bob", "r").await, world.inside("Cat", "r").await);
    ada.settle().await;
    cat.settle().await;
    // Bob reads nothing: the kernel's buffers fill, then the queue, then the connection is closed.
    let large = "x".repeat(60_000);
    let left = loop {
        ada.signal(&bob.peer, &large).await;
        ada.signal(&cat.peer, "small").await;
        let messages = ada.settle().await;
        assert_eq!(candidates(&cat.settle().await), ["small"], "the others wait for nobody");
        if let Some(left) = messages.iter().find(|message| message["type"] == "peer-left") {
            break left.clone();
        }
    };
    assert_eq!(left["peer"], json!(bob.peer));
}

#[tokio::test]
async fn half_open_connection_is_detected() {
    let limits = Limits {
        heartbeat: Duration::from_millis(100),
        dead: Duration::from_millis(400),
        resume: Duration::from_millis(100),
        tick: Duration::from_millis(20),
        ..Limits::default()
    };
    let world = World::with(limits).await;
    let mut ada = world.inside("Ada", "r").await;
    // Nobody reads this client, so its pings are not answered while its TCP connection stays open.
    let bob = world.inside("Bob", "r").await;
    ada.expect("peer-joined").await;
    assert_eq!(ada.expect("peer-left").await["peer"], json!(bob.peer));
    drop(bob);
}

#[tokio::test]
async fn malformed_messages_are_refused_and_affect_nobody_else() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
    ada.settle().await;
    bob.settle().await;
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    for text in ["", "{", "null", "[]", "\"hello\"", r#"{"type":7}"#, r#"{"type":"fly"}"#, r#"{"type":"join"}"#, &deep]
    {
        ada.send_text(text.to_owned()).await;
        ada.refused("bad_message").await;
    }
    let in_signal = format!(r#"{{"type":"signal","to":"{}","candidate":{deep}}}"#, bob.peer);
    ada.send_text(in_signal).await;
    ada.settle().await;
    // It is relayed unread; this test must not parse it.
    let relayed = futures::StreamExt::next(&mut bob.socket).await.unwrap().unwrap().into_text().unwrap();
    assert!(relayed.contains(&deep));
    bob.seen += 1;
    ada.signal(&bob.peer, "still here").await;
    bob.expect("signal").await;
}
