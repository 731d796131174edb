//! The port for CloudFront, which ends the TLS of browsers. What it says is passed on to the signaling server, which asks for
//! the key of the edge. The first byte tells whether CloudFront speaks TLS, which is ended here, or HTTP without it: while
//! the way in changes, the distribution does the one, then the other, and the host serves both.
//!
//! Everybody comes from the addresses of CloudFront's servers, so nothing is counted for an address. That only CloudFront
//! can connect is a matter of the host's security group, and that it speaks TLS one of the distribution, which then speaks
//! nothing else.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::front::Kind;
use super::tls::Tls;
use super::{listening, pass};
use crate::limits::Limits;

/// The port.
pub(super) struct Edge {
    tls: Tls,
    /// The signaling server, which expects a PROXY header.
    signal: SocketAddr,
    /// The places of connections, from before the first byte on.
    passed: Arc<Semaphore>,
    /// How long the first byte and a handshake may take.
    handshake: Duration,
}

impl Edge {
    pub(super) fn new(tls: Tls, signal: SocketAddr, passed: Arc<Semaphore>, limits: &Limits) -> Self {
        Self { tls, signal, passed, handshake: limits.idle }
    }
}

/// Accepts connections, and closes at once what is too many.
pub(super) async fn accept(listener: TcpListener, edge: Arc<Edge>) {
    listening::each(listener, |stream, client| Some(serve(Arc::clone(&edge), stream, client))).await;
}

async fn serve(edge: Arc<Edge>, stream: TcpStream, client: SocketAddr) {
    let Ok(_place) = edge.passed.try_acquire() else { return };
    let _ = stream.set_nodelay(true);
    let Ok(reached) = stream.local_addr() else { return };
    let to = pass::Way { signal: edge.signal, client, reached };
    let Ok(Ok(Some(found))) = timeout(edge.handshake, decide(&edge.tls, stream)).await else { return };
    let _ = match found {
        Found::Tls(stream) => pass::to_signal(to, stream, &[]).await,
        Found::Plain(stream) => pass::to_signal(to, stream, &[]).await,
    };
}

/// A connection of the edge.
enum Found {
    Tls(Box<TlsStream<TcpStream>>),
    Plain(TcpStream),
}

/// Finds out what a connection is; `None` if nothing is to be passed on.
async fn decide(tls: &Tls, stream: TcpStream) -> io::Result<Option<Found>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Ok(None);
    }
    Ok(match Kind::of(first[0]) {
        Some(Kind::Tls) => tls.accept(stream).await?.map(|stream| Found::Tls(Box::new(stream))),
        Some(Kind::Http) => Some(Found::Plain(stream)),
        Some(Kind::Turn) | None => None,
    })
}
