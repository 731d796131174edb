//! Which connections are admitted.

use std::time::Duration;

use futures::SinkExt as _;
use peersync_server::tickets::{Bearer, TicketKey, TicketKeys};
use peersync_signal::Limits;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::{Came, Client, EDGE_KEY, ORIGIN};
use crate::world::{STACK, World, guest, now, user};

#[tokio::test]
async fn hello_after_the_timeout_is_refused() {
    let world = World::with(Limits { hello: Duration::from_millis(100), ..Limits::default() }).await;
    let mut client = Client::connect(world.address).await;
    client.closed_for("hello_expected", 4000).await;
}

#[tokio::test]
async fn first_message_must_be_hello() {
    let world = World::new().await;
    for text in [r#"{"type":"join","room":"r"}"#, "nonsense", "{}"] {
        let mut client = Client::connect(world.address).await;
        client.send_text(text.to_owned()).await;
        client.closed_for("hello_expected", 4000).await;
    }
    let mut client = world.guest("Ada", "r").await;
    client.send(json!({ "type": "hello", "ticket": world.ticket("ada@example.org") })).await;
    assert_eq!(client.refused("hello_expected").await["about"], "hello", "once is enough");
    assert_eq!(client.join("r").await["peers"], json!([]), "and does no harm");
}

#[tokio::test]
async fn origins_must_match_exactly_and_the_edge_must_prove_itself() {
    let world = World::new().await;
    let key = ("x-peersync-origin-key", EDGE_KEY);
    for origin in ["https://site.example", "http://localhost:3000"] {
        assert!(Client::connect_with(world.address, &[("origin", origin), key]).await.is_ok(), "{origin}");
    }
    for headers in [
        vec![("origin", "https://site.example.evil.example"), key],
        vec![("origin", "http://site.example"), key],
        vec![("origin", "https://site.example/"), key],
        vec![("origin", "null"), key],
        vec![key],
        vec![("origin", ORIGIN)],
        vec![("origin", ORIGIN), ("x-peersync-origin-key", "a guess")],
    ] {
        let refused = Client::connect_with(world.address, &headers).await;
        let Err(Error::Http(response)) = refused else { panic!("{headers:?} came in") };
        assert_eq!(response.status(), 403, "{headers:?}");
    }
}

#[tokio::test]
async fn ticket_is_accepted_once_within_a_minute_and_only_from_this_stack() {
    let world = World::new().await;
    let ticket = world.ticket("ada@example.org");
    let _first = Client::welcome(world.address, &ticket).await;
    let stranger = TicketKeys::new(STACK, TicketKey::parse(&format!("{}A", "B".repeat(42))).unwrap(), None);
    let forged = stranger.issue(user("ada@example.org", None), now()).unwrap();
    let expired = world.ticket_of(user("ada@example.org", None), 61);
    for (ticket, code) in [
        (ticket.as_str(), "ticket_used"),
        (&expired, "ticket_expired"),
        (&forged, "ticket_invalid"),
        ("nonsense", "ticket_invalid"),
        ("", "ticket_invalid"),
    ] {
        let mut client = Client::connect(world.address).await;
        client.send(json!({ "type": "hello", "ticket": ticket })).await;
        client.closed_for(code, 4001).await;
    }
}

/// Connects from this address, without `hello`.
pub async fn connect_from(world: &World, viewer: &str) -> Result<Client, Error> {
    let headers = [("origin", ORIGIN), ("x-peersync-origin-key", EDGE_KEY), ("x-forwarded-for", viewer)];
    Client::connect_with(world.address, &headers).await
}

#[tokio::test]
async fn connections_per_address_are_limited() {
    // Half of it for an IPv6 network of 64 bits.
    let world = World::with(Limits { per_address: 4, ..Limits::default() }).await;
    let connect = |viewer| connect_from(&world, viewer);
    let (one, _two) = (connect("2001:db8::1").await.unwrap(), connect("2001:db8::2").await.unwrap());
    let Err(Error::Http(response)) = connect("2001:db8::3").await else { panic!("it came in") };
    assert_eq!(response.status(), 429);
    let _neighbour = connect("2001:db8:0:1::1").await.unwrap();
    let _more = (connect("2001:db8:0:100::1").await.unwrap(), connect("192.0.2.1").await.unwrap());
    let Err(Error::Http(_)) = connect("2001:db8:0:200::1").await else { panic!("its network of 48 bits has four") };
    drop(one);
    while connect("2001:db8::3").await.is_err() {}
}

#[tokio::test]
async fn oldest_connection_without_hello_gives_way() {
    let limits = Limits { greeting_per_address: 2, greeting: 3, ..Limits::default() };
    let world = World::with(limits).await;
    let connect = async |viewer: &str| connect_from(&world, viewer).await.unwrap();
    let (mut first, mut second) = (connect("192.0.2.1").await, connect("192.0.2.1").await);
    let mut third = connect("192.0.2.1").await;
    assert_eq!(first.came().await, Came::Gone, "its network has too many");
    let mut fourth = connect("192.0.2.2").await;
    let mut fifth = connect("192.0.2.3").await;
    assert_eq!(second.came().await, Came::Gone, "all together are too many");
    for client in [&mut third, &mut fourth, &mut fifth] {
        client.send(json!({ "type": "hello", "ticket": world.ticket("ada@example.org") })).await;
        client.welcomed().await;
    }
    // Whoever has said hello gives way to nobody.
    for number in 0..5 {
        connect(&format!("192.0.2.1:200{number}")).await;
    }
    for client in [&mut third, &mut fourth, &mut fifth] {
        client.settle().await;
    }
}

#[tokio::test]
async fn connections_in_total_are_limited_and_strangers_displace_only_each_other() {
    let world = World::with(Limits { connections: 2, ..Limits::default() }).await;
    let (mut ada, mut silent) = (world.guest("Ada", "r").await, Client::connect(world.address).await);
    let mut bob = world.guest("Bob", "r").await;
    assert_eq!(silent.came().await, Came::Gone);
    ada.settle().await;
    bob.settle().await;
    let headers = [("origin", ORIGIN), ("x-peersync-origin-key", EDGE_KEY)];
    let Err(Error::Http(response)) = Client::connect_with(world.address, &headers).await else { panic!("came in") };
    assert_eq!(response.status(), 503);
}

#[tokio::test]
async fn connections_without_upgrade_are_limited() {
    let world = World::with(Limits { connections: 2, spare_connections: 1, ..Limits::default() }).await;
    let (mut ada, mut bob) = (world.guest("Ada", "r").await, world.guest("Bob", "r").await);
    let mut first = TcpStream::connect(world.address).await.unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    first.write_all(request).await.unwrap();
    let mut answer = [0; 12];
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    // The first has its answer and keeps its connection; the second displaces it.
    let mut second = TcpStream::connect(world.address).await.unwrap();
    second.write_all(&request[..10]).await.unwrap();
    while first.read(&mut [0; 1000]).await.is_ok_and(|rest| rest > 0) {}
    second.write_all(&request[10..]).await.unwrap();
    second.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    ada.settle().await;
    bob.settle().await;
}

/// Says `hello` from this address.
pub async fn hello_from(world: &World, viewer: &str, who: Bearer) -> Client {
    let mut client = connect_from(world, viewer).await.unwrap();
    client.send(json!({ "type": "hello", "ticket": world.ticket_of(who, 0) })).await;
    client
}

#[tokio::test]
async fn full_server_takes_users_and_guests_of_other_networks_instead_of_the_guests_of_one() {
    let world = World::with(Limits { sessions: 5, ..Limits::default() }).await;
    let stranger = |number: u16| hello_from(&world, "192.0.2.66:1000", guest(&number.to_string(), "r"));
    let mut attackers = Vec::new();
    for number in 0..4 {
        let mut client = stranger(number).await;
        client.welcomed().await;
        attackers.push(client);
    }
    let mut ada = hello_from(&world, "198.51.100.1:1000", user("ada@example.org", None)).await;
    ada.welcomed().await;
    stranger(9).await.closed_for("too_many", 4004).await;
    let mut gone = 0;
    for (number, victim) in [user("bob@example.org", None), guest("Gus", "r")].into_iter().enumerate() {
        let mut victim = hello_from(&world, &format!("198.51.100.{}:1000", number + 2), victim).await;
        victim.welcomed().await;
        victim.settle().await;
        gone += 1;
        // It stays while the others come.
        attackers.push(victim);
    }
    let (mut closed, victims) = (0, attackers.split_off(4));
    for mut attacker in attackers {
        let _ = attacker.socket.send(Message::text(r#"{"type":"ping"}"#)).await;
        closed += usize::from(attacker.came().await == Came::Closed(4002));
    }
    assert_eq!(closed, gone);
    for mut victim in victims {
        victim.settle().await;
    }
    ada.settle().await;
}

#[tokio::test]
async fn sessions_per_user_are_limited() {
    let world = World::with(Limits { sessions_per_user: 2, ..Limits::default() }).await;
    let _tabs = (world.user("ada@example.org").await, world.user("ada@example.org").await);
    let mut third = Client::connect(world.address).await;
    third.send(json!({ "type": "hello", "ticket": world.ticket("ada@example.org") })).await;
    third.closed_for("too_many", 4004).await;
    let _other = world.user("bob@example.org").await;
}

#[tokio::test]
async fn binary_messages_are_refused() {
    let world = World::new().await;
    let mut client = world.user("ada@example.org").await;
    client.socket.send(vec![1_u8, 2, 3].into()).await.unwrap();
    assert_eq!(client.came().await, Came::Closed(1003));
}

#[tokio::test]
async fn invalid_frames_are_refused() {
    let world = World::new().await;
    let masked = [0x85, 0, 0, 0, 0];
    for (first, head, payload, close) in [
        (0x81, &[0x05][..], b"hello", 1002),
        // Marked as compressed, which was not negotiated.
        (0xc1, &masked, b"hello", 1002),
        (0x81, &masked, b"\xff\xfe\xfd\xfc\xfb", 1007),
    ] {
        let mut client = world.guest("Ada", "r").await;
        client.socket.get_mut().write_all(&[&[first], head, payload].concat()).await.unwrap();
        assert_eq!(client.came().await, Came::Closed(close), "{first:x} {head:?}");
    }
}

#[tokio::test]
async fn request_without_upgrade_gets_426() {
    let world = World::new().await;
    let websocket = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for headers in [String::new(), websocket.to_owned(), format!("{websocket}sec-websocket-version: 8\r\n")] {
        let answer = get(&world, "/ws", &headers).await;
        assert!(answer.starts_with("HTTP/1.1 426"), "{answer}");
        assert!(answer.contains("upgrade: websocket") && answer.contains("sec-websocket-version: 13"), "{answer}");
    }
}

#[tokio::test]
async fn compression_is_not_negotiated() {
    let world = World::new().await;
    let handshake = format!(
        "GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-extensions: permessage-deflate\r\n\
         origin: {ORIGIN}\r\nx-peersync-origin-key: {EDGE_KEY}\r\n\r\n"
    );
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(handshake.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap().to_lowercase();
    assert!(answer.starts_with("http/1.1 101") && !answer.contains("sec-websocket-extensions"), "{answer}");
}

#[tokio::test]
async fn health_is_public_and_metrics_are_local() {
    let world = World::new().await;
    let _client = world.user("ada@example.org").await;
    assert!(get(&world, "/healthz", "").await.starts_with("HTTP/1.1 200"));
    let metrics = get(&world, "/metrics", "").await;
    for line in ["peersync_signal_connections 1", "peersync_signal_sessions 1", "peersync_signal_upgraded_total 1"] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert!(!metrics.contains("example.org"), "{metrics}");
    let forwarded = get(&world, "/metrics", "x-forwarded-for: 192.0.2.1\r\n").await;
    assert!(forwarded.starts_with("HTTP/1.1 404"), "{forwarded}");
}

pub async fn get(world: &World, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
