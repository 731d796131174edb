//! Clients that send too much, or read too little.

use std::time::Duration;

use futures::SinkExt as _;
use peersync_signal::{Limits, limits::SenderLimits};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Came, Client, EDGE_KEY, ORIGIN, candidates};
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

/// A masked frame with a payload of zeros, or only its first `sent` bytes.
fn frame(first: u8, length: u16, sent: usize) -> Vec<u8> {
    let [high, low] = length.to_be_bytes();
    let mut frame = vec![first, 0x80 | 126, high, low, 0, 0, 0, 0];
    frame.resize(sent.min(8 + usize::from(length)), 0);
    frame
}

#[tokio::test]
async fn empty_fragments_cost_as_much_as_messages() {
    let limits = Limits { burst: 10, pace: Duration::from_secs(30), flood: 5, ..Limits::default() };
    let world = World::with(limits).await;
    let mut ada = world.guest("Ada", "r").await;
    ada.socket.get_mut().write_all(&[0x01, 0x80, 0, 0, 0, 0]).await.unwrap();
    for _ in 0..100 {
        // The connection may be closed before the last ones.
        let _ = ada.socket.get_mut().write_all(&[0x00, 0x80, 0, 0, 0, 0]).await;
    }
    ada.closed_for("rate_limited", 4029).await;
}

#[tokio::test]
async fn hello_must_fit_into_few_frames_and_kilobytes() {
    let world = World::new().await;
    let mut ada = Client::connect(world.address).await;
    ada.socket.get_mut().write_all(&[0x01, 0x80, 0, 0, 0, 0]).await.unwrap();
    for _ in 0..100 {
        let _ = ada.socket.get_mut().write_all(&[0x00, 0x80, 0, 0, 0, 0]).await;
    }
    ada.closed_for("hello_expected", 4000).await;
    let mut bob = Client::connect(world.address).await;
    bob.socket.get_mut().write_all(&frame(0x81, 7000, 8)).await.unwrap();
    bob.closed_for("too_large", 1009).await;
}

#[tokio::test]
async fn message_that_is_never_completed_is_closed_and_its_session_can_be_resumed() {
    let limits = Limits { partial: Duration::from_millis(200), tick: Duration::from_millis(20), ..Limits::default() };
    let world = World::with(limits).await;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
    ada.settle().await;
    for part in [frame(0x81, 60_000, 50_000), frame(0x01, 30_000, 99_999)] {
        ada.socket.get_mut().write_all(&part).await.unwrap();
        ada.closed_for("too_slow", 4008).await;
        // Errors before a close have no number.
        ada.reconnect(world.address, &world.ticket_of(crate::world::guest("Ada", "r"), 0), true).await;
        assert!(ada.resumed);
    }
    ada.signal(&bob.peer, "back").await;
    ada.settle().await;
    assert_eq!(candidates(&bob.settle().await), ["back"]);
    let metrics = crate::entrance::get(&world, "/metrics", "").await;
    assert!(metrics.contains("peersync_signal_partial_bytes 0\n"), "{metrics}");
}

#[tokio::test]
async fn incomplete_messages_of_one_network_do_not_displace_those_of_others() {
    let world = World::with(Limits { partial_bytes: 1 << 20, ..Limits::default() }).await;
    let from = async |viewer: &str, name: &str| {
        let headers = [("origin", ORIGIN), ("x-peersync-origin-key", EDGE_KEY), ("x-forwarded-for", viewer)];
        let mut client = Client::connect_with(world.address, &headers).await.unwrap();
        let ticket = world.ticket_of(crate::world::guest(name, "r"), 0);
        client.send(json!({ "type": "hello", "ticket": ticket })).await;
        client.welcomed().await;
        client
    };
    let mut victim = from("198.51.100.7", "Ada").await;
    let whole = frame(0x81, 60_000, 99_999);
    victim.socket.get_mut().write_all(&whole[..50_000]).await.unwrap();
    let mut attackers = Vec::new();
    for number in 0..40 {
        let mut client = from(&format!("2001:db8:1:{number:x}::1"), "Eve").await;
        client.socket.get_mut().write_all(&frame(0x01, 60_000, 99_999)).await.unwrap();
        attackers.push(client);
    }
    // Each is either closed for it or has its place: together no more than the bound.
    let held = async || {
        let metrics = crate::entrance::get(&world, "/metrics", "").await;
        let line = metrics.lines().find_map(|line| line.strip_prefix("peersync_signal_partial_bytes ")).unwrap();
        line.parse::<usize>().unwrap()
    };
    while held().await < (1 << 20) - 200_000 {}
    assert!(held().await <= 1 << 20);
    victim.socket.get_mut().write_all(&whole[50_000..]).await.unwrap();
    // Zeros are no message, but the server has read it.
    victim.refused("bad_message").await;
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
async fn guest_cannot_throw_out_a_member_whose_line_stands_still() {
    let world = World::new().await;
    for pause in [500, 2000] {
        let room = format!("room-{pause}");
        let (mut ada, mut eve) = (world.inside("Ada", &room).await, world.inside("Eve", &room).await);
        let mut cat = world.inside("Cat", &room).await;
        ada.settle().await;
        eve.settle().await;
        cat.settle().await;
        // Ada reads nothing meanwhile.
        let large = "x".repeat(60_000);
        let mut refused = 0;
        for _ in 0..20 {
            eve.signal(&ada.peer, &large).await;
        }
        let begin = std::time::Instant::now();
        cat.signal(&ada.peer, "an offer").await;
        cat.signal(&eve.peer, "and another").await;
        assert!(cat.settle().await.is_empty(), "who keeps to the budget is not refused");
        tokio::time::sleep(Duration::from_millis(pause).saturating_sub(begin.elapsed())).await;
        for message in eve.settle().await {
            if message["type"] == "error" {
                assert_eq!((&message["code"], &message["about"]), (&json!("rate_limited"), &json!("signal")));
                refused += 1;
            } else {
                assert_eq!(message["candidate"]["candidate"], "and another");
            }
        }
        assert!((15..20).contains(&refused), "the sender pays: {refused} of 20 were refused");
        let messages = ada.settle().await;
        let heard = candidates(&messages);
        assert_eq!(heard.iter().filter(|heard| **heard == large).count(), 20 - refused);
        assert!(heard.contains(&"an offer"), "the victim loses nothing");
        // Once she has read, what came before counts no longer.
        while {
            eve.signal(&ada.peer, "again").await;
            !eve.settle().await.is_empty()
        } {
            ada.settle().await;
        }
    }
}

#[tokio::test]
async fn line_that_accepts_no_bytes_is_closed_and_others_continue() {
    let limits = Limits {
        senders: SenderLimits {
            of_session: (9999, 8 << 20),
            of_network: (9999, 8 << 20),
            of_all: (9999, 8 << 20),
            ..Limits::default().senders
        },
        queue_bytes: 8 << 20,
        write: Duration::from_millis(300),
        burst: 100_000,
        tick: Duration::from_millis(20),
        resume: Duration::from_millis(100),
        ..Limits::default()
    };
    let world = World::with(limits).await;
    let (mut ada, bob, mut cat) =
        (world.inside("Ada", "r").await, world.inside("Bob", "r").await, world.inside("Cat", "r").await);
    ada.settle().await;
    cat.settle().await;
    // Bob reads nothing: the kernel's buffers fill, then a write blocks, and the connection is closed.
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
