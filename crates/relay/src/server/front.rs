//! The port that is open in every network, 443. Its connections are told apart by their first bytes: TURN, TLS with TURN
//! in it, and TLS with HTTP in it, which is passed on to the signaling server, unless that is reached through the edge alone.
//!
//! Everybody can connect, so whatever has not shown what it is has a deadline and a place among few; what is passed on
//! is bounded by the signaling server, and here by numbers a little above what that admits.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::Shared;
use super::streams::{Connection, Place, Places};
use super::tls::Tls;
use super::{listening, pass};
use crate::allocations::Client;
use crate::limits::Limits;
use crate::rate::SharedBuckets;
use crate::relay::Authority;

/// How much is read before it is decided what a connection inside of TLS is, in bytes.
const READ: usize = 4096;

/// What a connection is, by its first byte (RFC 7983, section 7, and the methods of HTTP).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Turn,
    Tls,
    Http,
}

impl Kind {
    pub(super) fn of(first: u8) -> Option<Self> {
        match first {
            0..=3 => Some(Self::Turn),
            22 => Some(Self::Tls),
            b'A'..=b'Z' => Some(Self::Http),
            _ => None,
        }
    }
}

/// The port.
pub(super) struct Front {
    tls: Tls,
    /// The signaling server, which expects a PROXY header; `None` if nobody reaches it through this port.
    signal: Option<SocketAddr>,
    /// The places of connections that have not shown what they are.
    undecided: Semaphore,
    /// The number of those, by site: whoever has many networks must not take all places.
    by_site: Places,
    /// How often each network may begin a handshake of TLS.
    handshakes: Mutex<SharedBuckets>,
    /// The places of those that are passed on, with those of the edge.
    passed: Arc<Semaphore>,
    /// The number of those that are passed on, by network.
    by_network: Places,
}

impl Front {
    pub(super) fn new(tls: Tls, signal: Option<SocketAddr>, passed: Arc<Semaphore>, limits: &Limits) -> Self {
        Self {
            tls,
            signal,
            undecided: Semaphore::new(limits.undecided),
            by_site: Places::new(limits.undecided_per_site),
            handshakes: Mutex::new(SharedBuckets::new(Instant::now(), limits.handshakes_rate, limits.handshakes_burst)),
            passed,
            by_network: Places::new(limits.passed_per_address),
        }
    }
}

/// Accepts connections, and closes at once what is too many.
pub(super) async fn accept<A: Authority>(shared: Arc<Shared<A>>, listener: TcpListener, front: Arc<Front>) {
    let serve = |stream, address| {
        let (number, client) = shared.streams.client(address);
        Some(serve(Arc::clone(&shared), Arc::clone(&front), number, client, stream))
    };
    listening::each(listener, serve).await;
}

async fn serve<A: Authority>(
    shared: Arc<Shared<A>>,
    front: Arc<Front>,
    number: u64,
    client: Client,
    stream: TcpStream,
) {
    let Some(idle) = shared.streams.idle(client.network()) else { return };
    let undecided = front.by_site.take(site(&client)).zip(front.undecided.try_acquire().ok());
    let Some(undecided) = undecided else { return };
    // Packets of a call are small and must not wait for each other.
    let _ = stream.set_nodelay(true);
    let Ok(Ok(Some(found))) = timeout(shared.streams.limits().idle, decide(&front, &client, stream)).await else {
        return;
    };
    drop(undecided);
    // What ends a connection is nobody's fault and is not logged: strangers could fill the log.
    let _ = match found {
        Found::Turn(stream) => relayed(&shared, number, client, idle, stream, Vec::new()).await,
        Found::TurnInTls(stream, first) => relayed(&shared, number, client, idle, stream, first).await,
        Found::Http(stream, first) => {
            drop(idle);
            passed(&front, client, stream, &first).await
        }
    };
}

/// A connection that has shown what it is, with what was read of it.
enum Found {
    Turn(TcpStream),
    TurnInTls(Box<TlsStream<TcpStream>>, Vec<u8>),
    Http(Box<TlsStream<TcpStream>>, Vec<u8>),
}

/// Finds out what a connection is; `None` if it needs nothing more.
async fn decide(front: &Front, client: &Client, stream: TcpStream) -> io::Result<Option<Found>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Ok(None);
    }
    match Kind::of(first[0]) {
        Some(Kind::Turn) => return Ok(Some(Found::Turn(stream))),
        Some(Kind::Tls) => {}
        // There is no HTTP without TLS at this port.
        Some(Kind::Http) | None => return Ok(None),
    }
    if !front.handshakes.lock().take(Instant::now(), client.network()) {
        return Ok(None);
    }
    let Some(mut stream) = front.tls.accept(stream).await?.map(Box::new) else { return Ok(None) };
    let mut first = Vec::with_capacity(READ);
    stream.read_buf(&mut first).await?;
    Ok(match first.first().copied().and_then(Kind::of) {
        Some(Kind::Turn) => Some(Found::TurnInTls(stream, first)),
        Some(Kind::Http) if front.signal.is_some() => Some(Found::Http(stream, first)),
        Some(Kind::Http | Kind::Tls) | None => None,
    })
}

/// Returns what a subscriber may have in whole: an IPv4 address, or an IPv6 network of 48 bits (RFC 6177).
fn site(client: &Client) -> IpAddr {
    match client.network() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & !(u128::MAX >> 48)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

async fn relayed<A: Authority>(
    shared: &Shared<A>,
    number: u64,
    client: Client,
    idle: Place<'_>,
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite,
    first: Vec<u8>,
) -> io::Result<()> {
    if shared.streams.is_full() {
        return Ok(());
    }
    Connection::new(shared, number, client, idle, first).run(stream).await
}

/// Passes a connection on to the signaling server, if there is a place.
async fn passed(front: &Front, client: Client, stream: Box<TlsStream<TcpStream>>, first: &[u8]) -> io::Result<()> {
    let place = front.by_network.take(client.network()).zip(front.passed.try_acquire().ok());
    match place.zip(front.signal) {
        Some((_place, signal)) => {
            let reached = stream.get_ref().0.local_addr()?;
            pass::to_signal(pass::Way { signal, client: client.address, reached }, stream, first).await
        }
        None => pass::refuse(stream).await,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;

    #[test]
    fn networks_of_one_subscriber_are_one_site() {
        let of = |address: &str| {
            site(&Client { path: crate::allocations::Path::Stream(0), address: address.parse().unwrap() })
        };
        assert_eq!(of("[2001:db8:1:2::1]:1"), of("[2001:db8:1:ffff::2]:2"));
        assert_ne!(of("[2001:db8:1:2::1]:1"), of("[2001:db8:2:2::1]:1"));
        assert_ne!(of("192.0.2.1:1"), of("192.0.2.2:1"));
    }

    #[test]
    fn first_byte_tells_what_a_connection_is() {
        for (first, kind) in [
            // A binding request, and an allocation's.
            (0x00, Some(Kind::Turn)),
            (0x01, Some(Kind::Turn)),
            (0x16, Some(Kind::Tls)),
            (b'G', Some(Kind::Http)),
            // Data of a channel comes only after an allocation; a TLS alert only after a handshake.
            (0x40, None),
            (0x15, None),
            (b'\r', None),
            (0x80, None),
        ] {
            assert_eq!(Kind::of(first), kind, "{first:#x}");
        }
    }
}
