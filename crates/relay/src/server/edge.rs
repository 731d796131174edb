//! The port for CloudFront, which ends the TLS of browsers; here the TLS of CloudFront is ended. What is in it is passed on to
//! the signaling server, which asks for the key of the edge.
//!
//! Everybody comes from the addresses of CloudFront's servers, so nothing is counted for an address. That only CloudFront
//! can connect is a matter of the host's security group.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::tls::Tls;
use super::{listening, pass};
use crate::limits::Limits;

/// The port.
pub(super) struct Edge {
    tls: Tls,
    /// The signaling server, which expects a PROXY header.
    signal: SocketAddr,
    /// The places of connections, from the first byte on.
    passed: Semaphore,
    /// How long a handshake may take.
    handshake: Duration,
}

impl Edge {
    pub(super) fn new(tls: Tls, signal: SocketAddr, limits: &Limits) -> Self {
        Self { tls, signal, passed: Semaphore::new(limits.passed), handshake: limits.idle }
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
    // What is no TLS ends here.
    if let Ok(Ok(Some(stream))) = timeout(edge.handshake, edge.tls.accept(stream)).await {
        let way = pass::Way { signal: edge.signal, client, reached };
        let _ = pass::to_signal(way, Box::new(stream), &[]).await;
    }
}
