//! The port that the relay shares with the signaling server.

use std::net::SocketAddr;
use std::time::Duration;

use peersync_relay::client::{Ask, Asker};
use peersync_relay::{Limits, Running, bind};
use peersync_server::proxy_protocol;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::certificates::Certificates;
use crate::sockets::{LOCAL, SOON, Way, exchange, start};
use crate::world::{Holders, PASSWORD};

/// A relay, and the signaling server behind it: it answers each connection with whose it is, and then repeats what comes.
struct World {
    relay: SocketAddr,
    udp: SocketAddr,
    running: Running<Holders>,
    certificates: Certificates,
}

impl World {
    async fn start(limits: Limits) -> Self {
        Self::with_signal(limits, signal().await)
    }

    /// One with CloudFront in front of the signaling server, and the port for that.
    async fn behind_edge(limits: Limits) -> (Self, SocketAddr) {
        let (world, edge) = Self::listening(limits, signal().await, &[LOCAL], false);
        (world, edge[0])
    }

    /// One that both CloudFront and everybody reach, as while the way in changes.
    async fn behind_edge_and_not(limits: Limits) -> (Self, SocketAddr) {
        let (world, edge) = Self::listening(limits, signal().await, &[LOCAL], true);
        (world, edge[0])
    }

    fn with_signal(limits: Limits, signal: SocketAddr) -> Self {
        Self::listening(limits, signal, &[], true).0
    }

    /// Returns it with the addresses for the edge.
    fn listening(limits: Limits, signal: SocketAddr, edge: &[SocketAddr], direct: bool) -> (Self, Vec<SocketAddr>) {
        let listeners = bind(&[LOCAL], &[], &[]).unwrap().share(&[LOCAL]).unwrap().for_edge(edge).unwrap();
        let edge = listeners.edge_addresses().unwrap();
        let (udp, relay) = (listeners.udp_addresses().unwrap()[0], listeners.shared_addresses().unwrap()[0]);
        let certificates = Certificates::new();
        let running = start(limits, listeners, Some(certificates.settings(signal, direct)));
        (Self { relay, udp, running, certificates }, edge)
    }

    /// Returns what the signaling server is told of a connection of this client to the shared port.
    fn told(&self, client: SocketAddr) -> String {
        format!("{client} {}", self.relay.port())
    }

    /// Connects as a browser does for a WebSocket.
    async fn https(&self) -> TlsStream<TcpStream> {
        self.certificates.connect(self.relay, &[b"http/1.1"]).await.unwrap()
    }
}

/// Starts the signaling server, and returns where it listens.
async fn signal() -> SocketAddr {
    let listener = TcpListener::bind(LOCAL).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo(stream));
        }
    });
    address
}

async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let proxied = proxy_protocol::read(&mut stream).await?.expect("the connection of somebody else");
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    assert_eq!(&head, b"GET ", "what the client has sent comes first, and whole");
    stream.write_all(format!("{} {}\n", proxied.client, proxied.port).as_bytes()).await?;
    let (mut from, mut to) = stream.split();
    tokio::io::copy(&mut from, &mut to).await?;
    stream.shutdown().await
}

async fn line(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut line = Vec::new();
    let read = async {
        loop {
            match stream.read_u8().await.unwrap() {
                b'\n' => break,
                byte => line.push(byte),
            }
        }
    };
    timeout(SOON, read).await.expect("a line");
    String::from_utf8(line).unwrap()
}

#[tokio::test]
async fn turn_turn_in_tls_and_http_in_tls_share_the_port() {
    let world = World::start(Limits::default()).await;
    exchange(Way::tcp(world.relay).await, Way::udp(world.udp).await).await;
    for protocols in [&[][..], &[b"stun.turn".as_slice()]] {
        let tls = world.certificates.connect(world.relay, protocols).await.unwrap();
        exchange(Way::Stream(Box::new(tls)), Way::tcp(world.relay).await).await;
    }
    let stream = TcpStream::connect(world.relay).await.unwrap();
    let own = stream.local_addr().unwrap();
    let mut https = world.certificates.handshake(stream, &[b"h2", b"http/1.1"]).await.unwrap();
    assert_eq!(https.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    https.write_all(b"GET /ws HTTP/1.1\r\n").await.unwrap();
    assert_eq!(line(&mut https).await, world.told(own), "the signaling server knows the client");
    assert_eq!(line(&mut https).await, "/ws HTTP/1.1\r");
    let large = vec![b'x'; 300_000];
    let (mut reader, mut writer) = tokio::io::split(https);
    let sending = async {
        writer.write_all(&large).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut back = Vec::new();
    let (_, received) = tokio::join!(sending, timeout(SOON, reader.read_to_end(&mut back)));
    received.unwrap().unwrap();
    assert_eq!(back, large, "both ends end");
}

#[tokio::test]
async fn client_cannot_say_that_it_is_another() {
    let world = World::start(Limits::default()).await;
    let forged = proxy_protocol::header("198.51.100.7:1".parse().unwrap(), world.relay);
    // In front of TLS it is no TLS, and inside of it no HTTP.
    let mut plain = TcpStream::connect(world.relay).await.unwrap();
    plain.write_all(&forged).await.unwrap();
    assert!(Way::Stream(Box::new(plain)).closed().await);
    let mut https = world.https().await;
    https.write_all(&forged).await.unwrap();
    https.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(SOON, https.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.is_empty(), "{answer:?}");
}

#[tokio::test]
async fn authority_that_asks_for_the_challenge_gets_it_and_nothing_else() {
    let world = World::start(Limits::default()).await;
    let mut asked = world.certificates.connect(world.relay, &[b"acme-tls/1"]).await.unwrap();
    let shown = asked.get_ref().1.peer_certificates().unwrap()[0].clone();
    assert_eq!(shown, world.certificates.challenge);
    let _ = asked.write_all(b"GET / HTTP/1.1\r\n").await;
    let mut answer = Vec::new();
    let _ = timeout(SOON, asked.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.is_empty(), "{answer:?}");
    let usual = world.certificates.connect(world.relay, &[b"http/1.1"]).await.unwrap();
    assert_eq!(usual.get_ref().1.peer_certificates().unwrap()[0], world.certificates.usual);
    assert!(world.certificates.connect(world.relay, &[b"h2"]).await.is_err(), "HTTP/2 is not spoken");
}

#[tokio::test]
async fn whoever_does_not_show_what_it_is_in_time_is_closed() {
    let world = World::start(Limits { idle: Duration::from_millis(300), ..Limits::default() }).await;
    let silent = TcpStream::connect(world.relay).await.unwrap();
    let mut slow = TcpStream::connect(world.relay).await.unwrap();
    // The beginning of a ClientHello.
    slow.write_all(b"\x16\x03\x01\x02").await.unwrap();
    let silent_in_tls = world.https().await;
    let mut used = world.https().await;
    used.write_all(b"GET /").await.unwrap();
    line(&mut used).await;
    for stream in [Way::Stream(Box::new(silent)), Way::Stream(Box::new(slow)), Way::Stream(Box::new(silent_in_tls))] {
        let mut stream = stream;
        assert!(stream.closed().await);
    }
    used.write_all(b"hello\n").await.unwrap();
    assert_eq!(line(&mut used).await, "/hello", "what is passed on may be silent");
}

#[tokio::test]
async fn slow_clients_of_one_network_leave_it_and_others_room() {
    let world = World::start(Limits { undecided_per_site: 2, idle_per_site: 2, ..Limits::default() }).await;
    let mut slow = [Way::tcp(world.relay).await, Way::tcp(world.relay).await, Way::tcp(world.relay).await];
    assert!(slow[0].closed().await, "the oldest of one address that shows nothing gives way");
    exchange(Way::tcp(world.relay).await, Way::udp(world.udp).await).await;
    assert!(slow[1].closed().await);
    // What is passed on does not count as slow.
    let mut kept = Vec::new();
    for _ in 0..3 {
        let opened = async {
            loop {
                if let Ok(mut https) = world.certificates.connect(world.relay, &[b"http/1.1"]).await
                    && https.write_all(b"GET /").await.is_ok()
                    && https.read_u8().await.is_ok()
                {
                    break https;
                }
            }
        };
        kept.push(timeout(SOON, opened).await.unwrap());
    }
}

#[tokio::test]
async fn handshakes_of_one_address_are_bounded_over_time() {
    let limits = Limits { handshakes_rate: 0, handshakes_burst: 2, ..Limits::default() };
    let world = World::start(limits).await;
    for _ in 0..2 {
        world.https().await;
    }
    assert!(world.certificates.connect(world.relay, &[]).await.is_err());
    exchange(Way::tcp(world.relay).await, Way::udp(world.udp).await).await;
}

#[tokio::test]
async fn connections_that_are_passed_on_are_bounded_by_network_and_in_all() {
    for limits in [Limits { passed_per_address: 1, ..Limits::default() }, Limits { passed: 1, ..Limits::default() }] {
        let world = World::start(limits).await;
        let mut first = world.https().await;
        first.write_all(b"GET /").await.unwrap();
        line(&mut first).await;
        let mut second = world.https().await;
        second.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert_eq!(line(&mut second).await, "HTTP/1.1 503 Service Unavailable\r");
        let mut turn = Way::tcp(world.relay).await;
        assert_eq!(turn.ask(&mut Asker::new("1", PASSWORD), &Ask::Allocate(None)).await.refused, None);
        assert_eq!(world.running.connections(), 1);
    }
}

#[tokio::test]
async fn signaling_server_that_restarts_is_said_to() {
    let free = TcpListener::bind(LOCAL).await.unwrap();
    let nowhere = free.local_addr().unwrap();
    drop(free);
    let world = World::with_signal(Limits::default(), nowhere);
    let mut https = world.https().await;
    https.write_all(b"GET /ws HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    timeout(SOON, https.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("Retry-After: "), "{answer}");
}

#[tokio::test]
async fn port_of_the_edge_takes_http_with_and_without_tls_and_the_shared_one_none() {
    // From one address come all connections of the edge.
    let limits = Limits { passed_per_address: 4, idle_per_site: 4, undecided_per_site: 4, ..Limits::default() };
    let limits = Limits { handshakes_rate: 0, handshakes_burst: 4, ..limits };
    let (world, edge) = World::behind_edge(limits).await;
    let mut kept = Vec::new();
    for number in 0..8 {
        let stream = TcpStream::connect(edge).await.unwrap();
        let own = stream.local_addr().unwrap();
        let mut http: Box<dyn crate::sockets::Stream> = match number % 2 {
            0 => Box::new(stream),
            _ => Box::new(world.certificates.handshake(stream, &[b"http/1.1"]).await.unwrap()),
        };
        http.write_all(b"GET /ws HTTP/1.1\r\n").await.unwrap();
        let told = format!("{own} {}", edge.port());
        assert_eq!(line(&mut http).await, told, "the signaling server is told whose connection it is");
        kept.push(http);
    }
    let answer = async |mut stream: Box<dyn crate::sockets::Stream>, sent: &[u8]| {
        let mut answer = Vec::new();
        let _ = stream.write_all(sent).await;
        let _ = timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap();
        answer
    };
    let http = b"GET /ws HTTP/1.1\r\nHost: a.example\r\n\r\n";
    // Neither STUN nor a header of the PROXY protocol is passed on.
    let forged = proxy_protocol::header("198.51.100.7:1".parse().unwrap(), edge);
    for other in [&[0, 1, 0, 0][..], forged.as_slice(), b"\r\n", b"\x80"] {
        let plain = Box::new(TcpStream::connect(edge).await.unwrap());
        assert_eq!(answer(plain, &[other, http].concat()).await, b"", "{other:?}");
    }
    // What is open to everybody has the challenge, and TURN.
    assert_eq!(answer(Box::new(world.https().await), http).await, b"");
    assert_eq!(answer(Box::new(TcpStream::connect(world.relay).await.unwrap()), http).await, b"");
    let asked = world.certificates.connect(world.relay, &[b"acme-tls/1"]).await.unwrap();
    assert_eq!(asked.get_ref().1.peer_certificates().unwrap()[0], world.certificates.challenge);
    drop(asked);
    exchange(Way::tcp(world.relay).await, Way::udp(world.udp).await).await;
}

#[tokio::test]
async fn host_serves_the_edge_and_everybody_at_the_same_time() {
    let (world, edge) = World::behind_edge_and_not(Limits::default()).await;
    let plain = TcpStream::connect(edge).await.unwrap();
    let (own, mut https) = (plain.local_addr().unwrap(), world.https().await);
    let everybodys = https.get_ref().0.local_addr().unwrap();
    let mut http: Box<dyn crate::sockets::Stream> = Box::new(plain);
    http.write_all(b"GET /ws HTTP/1.1\r\n").await.unwrap();
    https.write_all(b"GET /ws HTTP/1.1\r\n").await.unwrap();
    assert_eq!(line(&mut http).await, format!("{own} {}", edge.port()), "the port tells the edge from everybody");
    assert_eq!(line(&mut https).await, format!("{everybodys} {}", world.relay.port()));
}

#[tokio::test]
async fn silent_connections_to_the_port_of_the_edge_are_closed() {
    let (_world, edge) =
        World::behind_edge(Limits { idle: Duration::from_millis(200), passed: 1, ..Limits::default() }).await;
    let mut first = Way::tcp(edge).await;
    assert!(Way::tcp(edge).await.closed().await, "it has a place from its first byte on");
    assert!(first.closed().await);
}
