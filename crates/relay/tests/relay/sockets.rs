//! UDP, TCP and TLS over real sockets.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use peersync_relay::client::{Answer, Ask, Asker, channel_data};
use peersync_relay::{Limits, Listeners, Relay, Running, Settings, TlsSettings, bind, serve};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::certificates::Certificates;
use crate::world::{Holders, PASSWORD};

/// How long something may take that happens at once.
pub const SOON: Duration = Duration::from_secs(20);
pub const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const LOCAL_V6: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::LOCALHOST), 0);

pub fn start(limits: Limits, listeners: Listeners, tls: Option<TlsSettings>) -> Running<Holders> {
    let settings = Settings { realm: "relay.test".to_owned(), address: Ipv4Addr::LOCALHOST, limits };
    let holders = Holders { allocations: 9, ..Holders::default() };
    let relay = Relay::new(settings, holders, std::time::Instant::now());
    serve(relay, listeners, tls).unwrap()
}

/// A way to the relay.
pub enum Way {
    Udp(UdpSocket),
    Stream(Box<dyn Stream>),
}

pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Way {
    pub async fn udp(relay: SocketAddr) -> Self {
        let socket = UdpSocket::bind(if relay.is_ipv4() { LOCAL } else { LOCAL_V6 }).await.unwrap();
        socket.connect(relay).await.unwrap();
        Self::Udp(socket)
    }

    pub async fn tcp(relay: SocketAddr) -> Self {
        Self::Stream(Box::new(TcpStream::connect(relay).await.unwrap()))
    }

    pub async fn send(&mut self, packet: &[u8]) {
        match self {
            Self::Udp(socket) => drop(socket.send(packet).await.unwrap()),
            Self::Stream(stream) => stream.write_all(packet).await.unwrap(),
        }
    }

    /// Receives one packet.
    async fn receive(&mut self) -> Vec<u8> {
        let received = async {
            let mut packet = vec![0; 4096];
            match self {
                Self::Udp(socket) => {
                    let size = socket.recv(&mut packet).await.unwrap();
                    packet.truncate(size);
                }
                Self::Stream(stream) => {
                    stream.read_exact(&mut packet[..4]).await.unwrap();
                    let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
                    let size = if packet[0] < 0x40 { 20 + length } else { 4 + length.next_multiple_of(4) };
                    stream.read_exact(&mut packet[4..size]).await.unwrap();
                    packet.truncate(size);
                }
            }
            packet
        };
        timeout(SOON, received).await.expect("a packet")
    }

    pub async fn ask(&mut self, asker: &mut Asker, ask: &Ask) -> Answer {
        for _ in 0..2 {
            self.send(&asker.ask(ask)).await;
            let answer = asker.read(&self.receive().await).unwrap();
            if answer.code() != Some(401) {
                return answer;
            }
        }
        panic!("the credentials are refused")
    }

    /// Returns whether the other side has closed the connection.
    pub async fn closed(&mut self) -> bool {
        let Self::Stream(stream) = self else { return false };
        let mut byte = [0];
        !matches!(timeout(SOON, stream.read(&mut byte)).await.expect("the end"), Ok(1..))
    }
}

/// Gets two allocations, and sends data both ways.
pub async fn exchange(mut a: Way, mut b: Way) {
    let (mut ada, mut bob) = (Asker::new("1", PASSWORD), Asker::new("2", PASSWORD));
    let at_a = a.ask(&mut ada, &Ask::Allocate(None)).await.relayed.unwrap();
    let at_b = b.ask(&mut bob, &Ask::Allocate(None)).await.relayed.unwrap();
    assert_eq!(a.ask(&mut ada, &Ask::Channel(0x4000, at_b)).await.refused, None);
    assert_eq!(b.ask(&mut bob, &Ask::Channel(0x4000, at_a)).await.refused, None);
    for size in [0, 1, 2, 3, 4, 1200] {
        let packet = channel_data(0x4000, &vec![7; size]);
        let padded = |way: &Way| match way {
            Way::Udp(_) => packet.clone(),
            Way::Stream(_) => {
                let mut packet = packet.clone();
                packet.resize(packet.len().next_multiple_of(4), 0);
                packet
            }
        };
        a.send(&padded(&a)).await;
        assert_eq!(b.receive().await, padded(&b));
        b.send(&padded(&b)).await;
        assert_eq!(a.receive().await, padded(&a));
    }
}

#[tokio::test]
async fn every_way_reaches_every_other() {
    let listeners = bind(&[LOCAL, LOCAL_V6], &[LOCAL, LOCAL_V6], &[]).unwrap();
    let (udp, tcp) = (listeners.udp_addresses().unwrap(), listeners.tcp_addresses().unwrap());
    let running = start(Limits::default(), listeners, None);
    exchange(Way::udp(udp[0]).await, Way::udp(udp[0]).await).await;
    exchange(Way::udp(udp[0]).await, Way::udp(udp[1]).await).await;
    exchange(Way::udp(udp[1]).await, Way::tcp(tcp[0]).await).await;
    exchange(Way::tcp(tcp[0]).await, Way::tcp(tcp[1]).await).await;
    assert!(running.counters().relayed_packets >= 48);
}

#[tokio::test]
async fn tls_reaches_udp() {
    let listeners = bind(&[LOCAL], &[], &[LOCAL]).unwrap();
    let (udp, tls) = (listeners.udp_addresses().unwrap()[0], listeners.tls_addresses().unwrap()[0]);
    let certificates = Certificates::new();
    let _running = start(Limits::default(), listeners, Some(certificates.settings(LOCAL, true)));
    let stream = certificates.connect(tls, &[]).await.unwrap();
    exchange(Way::Stream(Box::new(stream)), Way::udp(udp).await).await;
}

#[tokio::test]
async fn connections_that_come_during_a_handshake_are_not_too_many() {
    let listeners = bind(&[], &[], &[LOCAL]).unwrap();
    let tls = listeners.tls_addresses().unwrap()[0];
    let certificates = Certificates::new();
    let limits = Limits { connections: 1, ..Limits::default() };
    let running = start(limits, listeners, Some(certificates.settings(LOCAL, true)));
    let (first, second) = (TcpStream::connect(tls).await.unwrap(), TcpStream::connect(tls).await.unwrap());
    let mut kept = Way::Stream(Box::new(certificates.handshake(first, &[]).await.unwrap()));
    assert!(kept.ask(&mut Asker::new("", ""), &Ask::Binding).await.mapped.is_some());
    if let Ok(stream) = certificates.handshake(second, &[]).await {
        assert!(Way::Stream(Box::new(stream)).closed().await);
    }
    assert_eq!(running.connections(), 1);
}

#[tokio::test]
async fn connection_that_never_authenticates_is_closed() {
    let listeners = bind(&[], &[LOCAL], &[]).unwrap();
    let tcp = listeners.tcp_addresses().unwrap()[0];
    let running = start(Limits { idle: Duration::from_millis(300), ..Limits::default() }, listeners, None);
    let mut silent = Way::tcp(tcp).await;
    let mut asking = Way::tcp(tcp).await;
    let mut used = Way::tcp(tcp).await;
    let mut ada = Asker::new("1", PASSWORD);
    assert_eq!(used.ask(&mut ada, &Ask::Allocate(None)).await.refused, None);
    assert!(asking.ask(&mut Asker::new("", ""), &Ask::Binding).await.mapped.is_some());
    assert!(silent.closed().await);
    assert!(asking.closed().await, "questions do not prolong it");
    assert_eq!(used.ask(&mut ada, &Ask::Refresh(600)).await.refused, None, "one with an allocation stays");
    assert_eq!(running.connections(), 1);
}

#[tokio::test]
async fn oldest_connection_without_an_allocation_gives_way() {
    for limits in [
        Limits { idle_per_site: 2, ..Limits::default() },
        Limits { idle_connections: 2, connections: 4, ..Limits::default() },
    ] {
        let listeners = bind(&[], &[LOCAL], &[]).unwrap();
        let tcp = listeners.tcp_addresses().unwrap()[0];
        let running = start(limits, listeners, None);
        let mut ada = Asker::new("1", PASSWORD);
        let mut used = Way::tcp(tcp).await;
        assert_eq!(used.ask(&mut ada, &Ask::Allocate(None)).await.refused, None);
        let mut strangers = Vec::new();
        for _ in 0..4 {
            let mut way = Way::tcp(tcp).await;
            assert!(way.ask(&mut Asker::new("", ""), &Ask::Binding).await.mapped.is_some());
            strangers.push(way);
        }
        assert!(strangers[0].closed().await && strangers[1].closed().await);
        for way in &mut strangers[2..] {
            assert!(way.ask(&mut Asker::new("", ""), &Ask::Binding).await.mapped.is_some());
        }
        assert_eq!(used.ask(&mut ada, &Ask::Refresh(600)).await.refused, None, "one with an allocation stays");
        assert_eq!(running.connections(), 3);
    }
}

#[tokio::test]
async fn what_is_no_message_closes_the_connection() {
    let listeners = bind(&[], &[LOCAL], &[]).unwrap();
    let tcp = listeners.tcp_addresses().unwrap()[0];
    let _running = start(Limits::default(), listeners, None);
    for bytes in [&b"\xff\xff\xff\xff"[..], b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"\x00\x01\xff\xff"]
    {
        let mut way = Way::tcp(tcp).await;
        way.send(bytes).await;
        assert!(way.closed().await, "{bytes:?}");
    }
}

#[tokio::test]
async fn closed_connection_frees_its_allocation() {
    let listeners = bind(&[], &[LOCAL], &[]).unwrap();
    let tcp = listeners.tcp_addresses().unwrap()[0];
    let running = start(Limits::default(), listeners, None);
    let mut way = Way::tcp(tcp).await;
    assert_eq!(way.ask(&mut Asker::new("1", PASSWORD), &Ask::Allocate(None)).await.refused, None);
    assert_eq!(running.counters().allocations, 1);
    drop(way);
    let gone = async {
        while running.counters().allocations > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, gone).await.unwrap();
}

#[tokio::test]
async fn address_in_use_is_named() {
    let listeners = bind(&[LOCAL], &[], &[]).unwrap();
    let taken = listeners.udp_addresses().unwrap()[0];
    let error = bind(&[taken], &[], &[]).unwrap_err().to_string();
    assert!(error.contains(&format!("UDP {taken}")), "{error}");
}
