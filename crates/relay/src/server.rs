//! Connects a [`Relay`] to the network: UDP sockets, connections by TCP and TLS, and the ports by which others reach the
//! signaling server.

mod datagrams;
mod edge;
mod front;
mod guarded;
mod input;
mod listening;
mod pass;
mod queues;
mod streams;
mod tls;
mod unfinished;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::rustls::{self, server::ResolvesServerCert};

use self::edge::Edge;
use self::front::Front;
use self::streams::{Streams, accept};
use self::tls::Tls;
use crate::allocations::{Client, Path};
use crate::counters::Counters;
use crate::relay::{Authority, Relay};

/// What the kernel may hold for a UDP socket, in bytes: 40 ms of 200 Mbit/s. The kernel may grant less.
const SOCKET_BUFFER: usize = 1_000_000;
/// The number of connections that wait in the kernel.
const BACKLOG: i32 = 256;
/// The interval at which what has expired is ended.
const TICK: Duration = Duration::from_secs(1);

/// The sockets of a relay.
#[derive(Debug, Default)]
pub struct Listeners {
    udp: Vec<UdpSocket>,
    tcp: Vec<TcpListener>,
    tls: Vec<TcpListener>,
    shared: Vec<TcpListener>,
    edge: Vec<TcpListener>,
}

/// Opens the sockets for these addresses. An IPv6 address takes no packets of IPv4 clients: name both. With port 0 the
/// system chooses one.
///
/// # Errors
/// An address cannot be used; the error names it.
pub fn bind(udp: &[SocketAddr], tcp: &[SocketAddr], tls: &[SocketAddr]) -> io::Result<Listeners> {
    Ok(Listeners {
        udp: udp
            .iter()
            .map(|address| datagram(address).map_err(|error| named("UDP", address, &error)))
            .collect::<io::Result<_>>()?,
        tcp: tcp.iter().map(stream).collect::<io::Result<_>>()?,
        tls: tls.iter().map(stream).collect::<io::Result<_>>()?,
        shared: Vec::new(),
        edge: Vec::new(),
    })
}

fn named(protocol: &str, address: &SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{protocol} {address}: {error}"))
}

fn stream(address: &SocketAddr) -> io::Result<TcpListener> {
    listen(address).map_err(|error| named("TCP", address, &error))
}

fn datagram(address: &SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(*address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Best effort: the kernel has an upper bound.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&(*address).into())?;
    UdpSocket::from_std(socket.into())
}

fn listen(address: &SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(*address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&(*address).into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

impl Listeners {
    /// Opens the sockets too that the relay shares with the signaling server; see [`TlsSettings::signal`].
    ///
    /// # Errors
    /// An address cannot be used; the error names it.
    pub fn share(mut self, addresses: &[SocketAddr]) -> io::Result<Self> {
        self.shared = addresses.iter().map(stream).collect::<io::Result<_>>()?;
        Ok(self)
    }

    /// Opens the sockets too for the edge.
    ///
    /// # Errors
    /// An address cannot be used; the error names it.
    pub fn for_edge(mut self, addresses: &[SocketAddr]) -> io::Result<Self> {
        self.edge = addresses.iter().map(stream).collect::<io::Result<_>>()?;
        Ok(self)
    }

    /// Returns the addresses at which the edge is accepted.
    ///
    /// # Errors
    /// The system does not tell them.
    pub fn edge_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.edge.iter().map(TcpListener::local_addr).collect()
    }

    /// Returns the addresses that are shared with the signaling server.
    ///
    /// # Errors
    /// The system does not tell them.
    pub fn shared_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.shared.iter().map(TcpListener::local_addr).collect()
    }

    /// Returns the addresses of the UDP sockets.
    ///
    /// # Errors
    /// The system does not tell them.
    pub fn udp_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.udp.iter().map(UdpSocket::local_addr).collect()
    }

    /// Returns the addresses at which TCP is accepted.
    ///
    /// # Errors
    /// The system does not tell them.
    pub fn tcp_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.tcp.iter().map(TcpListener::local_addr).collect()
    }

    /// Returns the addresses at which TLS is accepted.
    ///
    /// # Errors
    /// The system does not tell them.
    pub fn tls_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.tls.iter().map(TcpListener::local_addr).collect()
    }
}

/// What all sockets share.
struct Shared<A> {
    relay: Mutex<Relay<A>>,
    udp: Vec<UdpSocket>,
    streams: Streams,
}

impl<A: Authority> Shared<A> {
    /// Takes a packet in, and sends what comes of it.
    fn handle(&self, client: Client, packet: &[u8], out: &mut Vec<u8>) {
        let receiver = self.relay.lock().handle(Instant::now(), client, packet, out);
        let Some(receiver) = receiver else { return };
        match receiver.path {
            Path::Udp(index) => {
                if let Some(socket) = self.udp.get(usize::from(index)) {
                    // If the socket is full, the packet is lost, as it may be anywhere on its way.
                    let _ = socket.try_send_to(out, receiver.address);
                }
            }
            Path::Stream(number) => self.streams.send(number, out),
        }
    }
}

/// A relay that serves. It stops when this is dropped.
pub struct Running<A> {
    shared: Arc<Shared<A>>,
    _tasks: JoinSet<()>,
}

impl<A: Authority> Running<A> {
    /// Returns what was counted until now.
    pub fn counters(&self) -> Counters {
        self.shared.relay.lock().counters()
    }

    /// See [`Relay::set_budget_spent`].
    pub fn set_budget_spent(&self, spent: bool) {
        self.shared.relay.lock().set_budget_spent(spent);
    }

    /// See [`Relay::end_withdrawn`].
    pub fn end_withdrawn(&self) {
        self.shared.relay.lock().end_withdrawn();
    }

    /// Returns whether the traffic that may be relayed is used up.
    pub fn budget_spent(&self) -> bool {
        self.shared.relay.lock().budget_spent
    }

    /// Returns the number of connections by TCP and TLS.
    pub fn connections(&self) -> usize {
        self.shared.streams.len()
    }
}

/// What the relay needs for TLS.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// Where the certificate of each connection comes from. If that asks for a challenge of a certificate authority (by
    /// its protocols), it gets what comes from here too, and nothing else.
    pub certificates: Arc<dyn ResolvesServerCert>,
    /// The signaling server on this host, which gets what is HTTP on a port for the edge, behind a
    /// [PROXY header](peersync_server::proxy_protocol).
    pub signal: SocketAddr,
    /// Whether it gets what is HTTP inside of TLS on a shared port too.
    pub direct: bool,
}

/// Serves on these sockets, until the result is dropped. Without settings for TLS, connections to the addresses for TLS
/// and to the shared ones and those for the edge are refused. Must be called in a tokio runtime.
///
/// # Errors
/// TLS does not support its own defaults.
pub fn serve<A: Authority>(
    relay: Relay<A>,
    listeners: Listeners,
    tls: Option<TlsSettings>,
) -> Result<Running<A>, rustls::Error> {
    let limits = relay.limits().clone();
    let streams = Streams::new(&limits);
    let shared = Arc::new(Shared { relay: Mutex::new(relay), udp: listeners.udp, streams });
    let mut tasks = JoinSet::new();
    for index in 0..shared.udp.len() {
        tasks.spawn(datagrams::serve(Arc::clone(&shared), index));
    }
    for listener in listeners.tcp {
        tasks.spawn(accept(Arc::clone(&shared), listener, None));
    }
    if let Some(settings) = tls {
        let tls = Tls::new(&settings.certificates)?;
        for listener in listeners.tls {
            tasks.spawn(accept(Arc::clone(&shared), listener, Some(tls.clone())));
        }
        let everybodys = Some(settings.signal).filter(|_| settings.direct);
        let passed = Arc::new(Semaphore::new(limits.passed));
        let edge = Arc::new(Edge::new(tls.clone(), settings.signal, Arc::clone(&passed), &limits));
        for listener in listeners.edge {
            tasks.spawn(edge::accept(listener, Arc::clone(&edge)));
        }
        let front = Arc::new(Front::new(tls, everybodys, passed, &limits));
        for listener in listeners.shared {
            tasks.spawn(front::accept(Arc::clone(&shared), listener, Arc::clone(&front)));
        }
    }
    tasks.spawn(tick(Arc::clone(&shared)));
    Ok(Running { shared, _tasks: tasks })
}

async fn tick<A: Authority>(shared: Arc<Shared<A>>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        shared.relay.lock().tick(Instant::now());
    }
}
