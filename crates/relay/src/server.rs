//! Connects a [`Relay`] to the network: UDP sockets, and connections by TCP and TLS.

mod certificate;
mod datagrams;
mod streams;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use self::streams::{Streams, accept};
use crate::allocations::{Client, Path};
use crate::counters::Counters;
use crate::relay::{Authority, Relay};

pub use self::certificate::{Certificate, CertificateError};

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
}

/// Opens the sockets for these addresses. An IPv6 address takes no packets of IPv4 clients: name both. With port 0 the
/// system chooses one.
///
/// # Errors
/// An address cannot be used; the error names it.
pub fn bind(udp: &[SocketAddr], tcp: &[SocketAddr], tls: &[SocketAddr]) -> io::Result<Listeners> {
    let named = |protocol: &str, address: &SocketAddr, error: io::Error| {
        io::Error::new(error.kind(), format!("{protocol} {address}: {error}"))
    };
    let stream = |address: &SocketAddr| listen(address).map_err(|error| named("TCP", address, error));
    Ok(Listeners {
        udp: udp
            .iter()
            .map(|address| datagram(address).map_err(|error| named("UDP", address, error)))
            .collect::<io::Result<_>>()?,
        tcp: tcp.iter().map(stream).collect::<io::Result<_>>()?,
        tls: tls.iter().map(stream).collect::<io::Result<_>>()?,
    })
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

    /// Returns whether the traffic that may be relayed is used up.
    pub fn budget_spent(&self) -> bool {
        self.shared.relay.lock().budget_spent
    }

    /// Returns the number of connections by TCP and TLS.
    pub fn connections(&self) -> usize {
        self.shared.streams.len()
    }
}

/// Serves on these sockets, until the result is dropped. Without a certificate, connections to the addresses for TLS are
/// refused. Must be called in a tokio runtime.
///
/// # Errors
/// TLS cannot use the certificate.
pub fn serve<A: Authority>(
    relay: Relay<A>,
    listeners: Listeners,
    certificate: Option<Certificate>,
) -> Result<Running<A>, CertificateError> {
    let streams = Streams::new(relay.limits());
    let shared = Arc::new(Shared { relay: Mutex::new(relay), udp: listeners.udp, streams });
    let mut tasks = JoinSet::new();
    for index in 0..shared.udp.len() {
        tasks.spawn(datagrams::serve(Arc::clone(&shared), index));
    }
    for listener in listeners.tcp {
        tasks.spawn(accept(Arc::clone(&shared), listener, None));
    }
    if let Some(certificate) = certificate.map(Arc::new) {
        tasks.spawn(Arc::clone(&certificate).follow());
        for listener in listeners.tls {
            tasks.spawn(accept(Arc::clone(&shared), listener, Some(certificate.acceptor()?)));
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
