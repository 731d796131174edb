//! The port that is open in every network, 443. Its connections are told apart by their first bytes: TURN, TLS with TURN
//! in it, and TLS with HTTP in it, which is passed on to the signaling server, unless that is reached through the edge alone.
//!
//! Everybody can connect, so whatever has not shown what it is has a deadline and a place among few; what is passed on
//! is bounded by the signaling server, and here by numbers a little above what that admits.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;

use super::Shared;
use super::guarded::Decrypted;
use super::streams::Places;
use super::tls::Tls;
use super::{listening, pass, streams};
use crate::allocations::Client;
use crate::limits::Limits;
use crate::rate::SharedBuckets;
use crate::relay::Authority;

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
    /// How often each network may have a handshake of TLS answered.
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
    // Packets of a call are small and must not wait for each other.
    let _ = stream.set_nodelay(true);
    let shown = shared.streams.shown(&client, Box::pin(decide(&shared, &front, &client, stream))).await;
    // What ends a connection is nobody's fault and is not logged: strangers could fill the log. Each of the ways is in a box
    // of its own size, for as long as the connection lives.
    let _ = match shown {
        Some(Found::Turn(stream)) => Box::pin(streams::relayed(&shared, number, client, stream, Vec::new())).await,
        Some(Found::TurnInTls(stream, first)) => {
            Box::pin(streams::relayed(&shared, number, client, stream, first)).await
        }
        Some(Found::Http(stream, first)) => Box::pin(passed(&front, client, stream, first)).await,
        None => Ok(()),
    };
}

/// A connection that has shown what it is, with what was read of it.
enum Found {
    Turn(TcpStream),
    TurnInTls(Decrypted, Vec<u8>),
    Http(Decrypted, Vec<u8>),
}

/// Finds out what a connection is; `None` if it needs nothing more.
async fn decide<A: Authority>(
    shared: &Shared<A>,
    front: &Front,
    client: &Client,
    stream: TcpStream,
) -> io::Result<Option<Found>> {
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
    let stream = shared.streams.guarded(stream, client);
    // Each step is in a box, or all of them would be as large as the sum.
    let start = Box::pin(LazyConfigAcceptor::new(Acceptor::default(), stream)).await?;
    // The answer is what costs. Counted before, those who never ask would use up what their neighbours may.
    if !front.handshakes.lock().take(Instant::now(), client.network()) {
        return Ok(None);
    }
    let Some(mut stream) = Box::pin(front.tls.answer(start)).await?.map(Decrypted::new) else { return Ok(None) };
    let first = poll_fn(|context| pass::read(Pin::new(&mut stream), context)).await?;
    Ok(match first.first().copied().and_then(Kind::of) {
        Some(Kind::Turn) => Some(Found::TurnInTls(stream, first)),
        Some(Kind::Http) if front.signal.is_some() => Some(Found::Http(stream, first)),
        Some(Kind::Http | Kind::Tls) | None => None,
    })
}

/// Passes a connection on to the signaling server, if there is a place.
async fn passed(front: &Front, client: Client, stream: Decrypted, first: Vec<u8>) -> io::Result<()> {
    let place = front.by_network.take(client.network()).zip(front.passed.try_acquire().ok());
    match place.zip(front.signal) {
        Some((_place, signal)) => {
            let reached = stream.local_addr()?;
            pass::to_signal(pass::Way { signal, client: client.address, reached }, stream, &first).await
        }
        None => pass::refuse(stream).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
