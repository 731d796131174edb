//! What somebody can make TLS keep: handshakes and records of which a part is missing.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use peersync_relay::{Limits, Running, bind};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;

use crate::certificates::Certificates;
use crate::sockets::{LOCAL, Way, exchange, start};
use crate::world::Holders;

/// A relay with a port for everything, one for TLS, and one for UDP.
struct World {
    shared: SocketAddr,
    tls: SocketAddr,
    udp: SocketAddr,
    _running: Running<Holders>,
    certificates: Certificates,
}

impl World {
    fn start(limits: Limits) -> Self {
        // Nothing here ends because it takes long.
        let limits = Limits { idle: Duration::from_secs(600), ..limits };
        let listeners = bind(&[LOCAL], &[], &[LOCAL]).unwrap().share(&[LOCAL]).unwrap();
        let (udp, tls) = (listeners.udp_addresses().unwrap()[0], listeners.tls_addresses().unwrap()[0]);
        let shared = listeners.shared_addresses().unwrap()[0];
        let certificates = Certificates::new();
        let settings = certificates.settings(LOCAL, true);
        Self { shared, tls, udp, _running: start(limits, listeners, Some(settings)), certificates }
    }

    /// Uses the relay through TLS as a browser does.
    async fn exchange(&self, relay: SocketAddr) {
        let tls = self.certificates.connect(relay, &[]).await.unwrap();
        exchange(Way::Stream(Box::new(tls)), Way::udp(self.udp).await).await;
    }

    /// Connects with this many bytes in names of protocols, beside the 300 or so of a ClientHello.
    async fn connect_with(&self, relay: SocketAddr, bytes: usize) -> io::Result<()> {
        let names: Vec<Vec<u8>> = (0..bytes / 200).map(|number| vec![u8::try_from(number).unwrap(); 199]).collect();
        let mut protocols: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        protocols.push(b"http/1.1");
        self.certificates.connect(relay, &protocols).await.map(drop)
    }
}

/// Returns the beginning of a ClientHello of 60,000 bytes, in records of up to 16,000.
fn beginning(bytes: usize) -> Vec<u8> {
    let mut message = vec![1, 0, 0xea, 0x60, 3, 3];
    message.resize(60_000, 0);
    let record = |part: &[u8]| [&[22, 3, 1, 0x3e, 0x80][..], part].concat();
    let mut sent: Vec<u8> = message.chunks(16_000).flat_map(record).collect();
    sent.truncate(bytes);
    sent
}

/// Connects, and sends this.
async fn sending(relay: SocketAddr, bytes: &[u8]) -> Way {
    let mut stream = TcpStream::connect(relay).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    Way::Stream(Box::new(stream))
}

#[tokio::test]
async fn client_hello_that_is_too_large_is_cut_off() {
    let limits = Limits::default();
    let most = limits.handshake_bytes;
    let world = World::start(limits);
    for relay in [world.shared, world.tls] {
        let mut way = sending(relay, &[]).await;
        for part in beginning(most).chunks(1000) {
            way.send(part).await;
        }
        assert!(way.closed().await);
        world.exchange(relay).await;
    }
}

#[tokio::test]
async fn client_hellos_of_browsers_and_larger_ones_are_answered() {
    let world = World::start(Limits::default());
    for relay in [world.shared, world.tls] {
        // With a post-quantum key and a ticket browsers send less than 2 KB.
        for bytes in [0, 600, 1800, 3000, 7000] {
            world.connect_with(relay, bytes).await.unwrap_or_else(|error| panic!("{bytes} bytes more: {error}"));
        }
        assert!(world.connect_with(relay, 9000).await.is_err());
    }
}

/// A connection that sends each byte by itself.
struct Slow(TcpStream);

impl AsyncRead for Slow {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Slow {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let (stream, first) = (&mut self.get_mut().0, bytes.get(..1).unwrap_or_default());
        match stream.try_write(first) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Pin::new(stream).poll_write(context, first),
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(context)
    }
}

#[tokio::test]
async fn slow_client_is_served_however_its_records_are_cut() {
    let world = World::start(Limits { unfinished_bytes: 0, ..Limits::default() });
    let stream = TcpStream::connect(world.shared).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let tls = world.certificates.handshake(Slow(stream), &[]).await.unwrap();
    exchange(Way::Stream(Box::new(tls)), Way::udp(world.udp).await).await;
}

#[tokio::test]
async fn strangers_with_unfinished_handshakes_do_not_keep_their_office_out() {
    for part in [0, 1, 100, 5000] {
        let limits = Limits { undecided: 8, undecided_per_site: 8, unfinished_bytes: 16_384, ..Limits::default() };
        // Only two handshakes are answered.
        let world = World::start(Limits { handshakes_rate: 0, handshakes_burst: 2, ..limits });
        let mut strangers = Vec::new();
        for _ in 0..30 {
            strangers.push(sending(world.shared, &beginning(part)).await);
        }
        world.exchange(world.shared).await;
        for _ in 0..30 {
            strangers.push(sending(world.tls, &beginning(part)).await);
        }
        world.exchange(world.tls).await;
        world.exchange(world.shared).await;
        assert!(strangers[0].closed().await, "the oldest give way");
    }
}

#[tokio::test]
async fn records_of_which_a_part_is_missing_share_their_memory() {
    let world = World::start(Limits { unfinished_bytes: 2 * 8192, ..Limits::default() });
    let mut parts = Vec::new();
    for _ in 0..3 {
        let tls = world.certificates.connect(world.tls, &[]).await.unwrap();
        let (mut stream, _) = tls.into_inner();
        // A record of 16 KB, without its end.
        let record = [&[23, 3, 3, 0x40, 0x11][..], &[0; 6000]].concat();
        stream.write_all(&record).await.unwrap();
        parts.push(Way::Stream(Box::new(stream)));
    }
    // The oldest gives way; what it reads before are tickets.
    while !parts[0].closed().await {}
    world.exchange(world.tls).await;
    // What has come is less than what the largest record needs, and there is room for one.
    let world = World::start(Limits { unfinished_bytes: 3 * 8192, ..Limits::default() });
    let large = vec![0xff; 16_384];
    let mut tls = world.certificates.connect(world.shared, &[]).await.unwrap();
    tls.write_all(&large).await.unwrap();
    assert!(Way::Stream(Box::new(tls)).closed().await, "it came out, and is no message");
}
