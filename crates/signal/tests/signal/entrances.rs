//! A server behind the relay of its host, or behind a Cloudflare Tunnel: who tells it the address of a client.

use std::net::SocketAddr;
use std::time::Duration;

use peersync_server::proxy_protocol::header;
use peersync_server::settings::Entrance;
use peersync_signal::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::client::{Client, EDGE_KEY, ORIGIN};
use crate::world::World;

/// A server that admits one connection of each address.
async fn behind(entrance: Entrance) -> World {
    World::behind(entrance, Limits { per_address: 1, ..Limits::default() }).await
}

/// Returns the status with which an upgrade is refused; `None` if it is admitted, and then the connection stays open.
async fn refused(
    world: &World,
    from: Option<&str>,
    headers: &[(&'static str, &str)],
    open: &mut Vec<Client>,
) -> Option<u16> {
    refused_at(world, world.address.port(), from, headers, open).await
}

/// As [`refused`], at this port of the relay.
async fn refused_at(
    world: &World,
    port: u16,
    from: Option<&str>,
    headers: &[(&'static str, &str)],
    open: &mut Vec<Client>,
) -> Option<u16> {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    if let Some(from) = from {
        let reached = SocketAddr::new(world.address.ip(), port);
        stream.write_all(&header(from.parse().unwrap(), reached)).await.unwrap();
    }
    let mut request = format!("ws://{}/ws", world.address).into_client_request().unwrap();
    request.headers_mut().insert("origin", ORIGIN.parse().unwrap());
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    match client_async(request, stream).await {
        Ok((socket, _)) => {
            open.push(Client::of(socket));
            None
        }
        Err(Error::Http(response)) => Some(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn relay_says_whose_connection_it_is_and_headers_do_not_count() {
    let (world, mut open) = (behind(Entrance::Relay).await, Vec::new());
    let forged = [("x-forwarded-for", "192.0.2.99"), ("cloudfront-viewer-address", "192.0.2.98:1")];
    assert_eq!(refused(&world, Some("192.0.2.1:5000"), &[], &mut open).await, None);
    assert_eq!(refused(&world, Some("192.0.2.1:5001"), &forged, &mut open).await, Some(429));
    let key = [("x-peersync-origin-key", EDGE_KEY), forged[0]];
    assert_eq!(refused(&world, Some("192.0.2.1:5002"), &key, &mut open).await, Some(429));
    assert_eq!(refused(&world, Some("192.0.2.2:5000"), &[], &mut open).await, None);
    assert_eq!(refused(&world, Some("[2001:db8::1]:5000"), &[], &mut open).await, None);
    assert_eq!(refused(&world, Some("[2001:db8::2]:5000"), &[], &mut open).await, Some(429), "the same network");
}

#[tokio::test]
async fn connection_without_a_header_of_the_relay_is_closed() {
    for entrance in [Entrance::Relay, Entrance::RelayedEdge, Entrance::RelayAndEdge(8080)] {
        let world = behind(entrance).await;
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a.example\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty(), "{answer:?}");
    }
}

#[tokio::test]
async fn edge_behind_the_relay_proves_itself_and_says_who_the_client_is() {
    let (world, mut open) = (behind(Entrance::RelayedEdge).await, Vec::new());
    let edge = Some("198.51.100.7:5000");
    let (key, wrong) = (("x-peersync-origin-key", EDGE_KEY), ("x-peersync-origin-key", "another"));
    let client = |address| ("x-forwarded-for", address);
    for headers in [&[][..], &[client("192.0.2.1")], &[wrong, client("192.0.2.1")]] {
        assert_eq!(refused(&world, edge, headers, &mut open).await, Some(403), "{headers:?}");
    }
    assert_eq!(refused(&world, edge, &[key, client("192.0.2.1")], &mut open).await, None);
    assert_eq!(refused(&world, edge, &[key, client("192.0.2.9, 192.0.2.1")], &mut open).await, Some(429));
    assert_eq!(
        refused(&world, edge, &[key, client("192.0.2.2")], &mut open).await,
        None,
        "of the same server of the edge"
    );
}

#[tokio::test]
async fn port_of_the_edge_asks_for_its_key_and_the_others_believe_nothing() {
    let (world, mut open) = (behind(Entrance::RelayAndEdge(8080)).await, Vec::new());
    let edge = Some("198.51.100.7:5000");
    let (key, wrong) = (("x-peersync-origin-key", EDGE_KEY), ("x-peersync-origin-key", "another"));
    let client = |address| ("x-forwarded-for", address);
    for headers in [&[][..], &[client("192.0.2.1")], &[wrong, client("192.0.2.1")]] {
        assert_eq!(refused_at(&world, 8080, edge, headers, &mut open).await, Some(403), "{headers:?}");
    }
    assert_eq!(refused_at(&world, 8080, edge, &[key, client("192.0.2.1")], &mut open).await, None);
    assert_eq!(refused_at(&world, 8080, edge, &[key, client("192.0.2.1")], &mut open).await, Some(429));
    // Everybody else is who the relay says, with the key too.
    let direct = Some("192.0.2.2:5000");
    assert_eq!(refused_at(&world, 443, direct, &[], &mut open).await, None);
    assert_eq!(refused_at(&world, 443, direct, &[key, client("192.0.2.9")], &mut open).await, Some(429));
    assert_eq!(refused_at(&world, 443, Some("192.0.2.1:5000"), &[], &mut open).await, Some(429), "the same person");
}

#[tokio::test]
async fn metrics_are_for_this_host_alone() {
    let world = behind(Entrance::Relay).await;
    let here: SocketAddr = "127.0.0.1:5000".parse().unwrap();
    for (from, status) in [("192.0.2.1:5000".parse().unwrap(), "404"), (here, "200")] {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(&header(from, world.address)).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(status), "{from}: {answer}");
    }
}

#[tokio::test]
async fn tunnel_says_who_the_client_is_and_nobody_else() {
    let (world, mut open) = (behind(Entrance::Tunnel).await, Vec::new());
    let first = ("cf-connecting-ip", "192.0.2.1");
    assert_eq!(refused(&world, None, &[first], &mut open).await, None);
    assert_eq!(refused(&world, None, &[first, ("x-forwarded-for", "192.0.2.9")], &mut open).await, Some(429));
    assert_eq!(refused(&world, None, &[("cf-connecting-ip", "192.0.2.2")], &mut open).await, None);
    for other in [&[][..], &[("x-forwarded-for", "192.0.2.9")], &[first, ("cf-connecting-ip", "192.0.2.9")]] {
        assert_eq!(refused(&world, None, other, &mut open).await, Some(403), "{other:?}");
    }
}

/// Sends a text a byte at a time, over and over, until the server closes the connection, and returns what it has said.
async fn drip(address: SocketAddr, first: &[u8], rest: &[u8]) -> String {
    let (mut from, mut to) = TcpStream::connect(address).await.unwrap().into_split();
    let bytes: Vec<u8> = first.iter().chain(rest.iter().cycle().take(10_000)).copied().collect();
    let dripping = tokio::spawn(async move {
        for byte in bytes {
            if to.write_all(&[byte]).await.is_err() {
                break;
            }
            // Never silent for long: what ends the connection is not that nothing comes.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        to
    });
    let mut answer = Vec::new();
    let _ = from.read_to_end(&mut answer).await;
    assert!(!dripping.is_finished(), "the whole head was read");
    dripping.abort();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn head_that_comes_a_byte_at_a_time_is_cut_off() {
    let limits = Limits { head: Duration::from_millis(200), ..Limits::default() };
    let edge = World::with(limits.clone()).await;
    let answer = drip(edge.address, b"GET /ws HTTP/1.1\r\nHost: a.example\r\n", b"X-A: b\r\n").await;
    assert!(!answer.starts_with("HTTP/1.1 2") && !answer.starts_with("HTTP/1.1 1"), "{answer}");
    let relay = World::behind(Entrance::Relay, limits).await;
    // The beginning of a header that says that 536 bytes follow.
    let mut long = header("192.0.2.1:1".parse().unwrap(), relay.address);
    long.truncate(14);
    long.extend(536_u16.to_be_bytes());
    assert_eq!(drip(relay.address, &long, b"0").await, "");
}
