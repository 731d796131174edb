//! Accepting connections, when nothing but the network or the relay of the host is in front of the server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use peersync_server::accept::{Accepted, accept};
use peersync_server::proxy_protocol;
use peersync_server::settings::Entrance;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower::ServiceExt as _;
use tracing::warn;

use crate::admission::OpenSlot;
use crate::server::Server;

/// The maximum size of a request head in bytes. Browsers send 1 KB, CloudFront adds as much.
const HEAD_BYTES: usize = 16 * 1024;
/// The number of connections that the kernel queues until they are accepted. After a restart all clients reconnect at
/// once.
const BACKLOG: u32 = 4096;
/// The size of the kernel's receive buffer in bytes: the largest message. By default it grows to megabytes for a client
/// that is not read, such as one that does not read either.
const RECEIVE_BUFFER: u32 = 64 * 1024;
/// Places for connections that take the place of others until these are gone.
const LEAVING: usize = 64;
/// The size of the kernel's send buffer in bytes. By default it grows to megabytes for a slow reader.
const SEND_BUFFER: u32 = 128 * 1024;

/// Returns a listener for many clients.
///
/// # Errors
/// The address is in use, or does not belong to this machine.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until it is dropped. During a drain it keeps accepting, and the server refuses.
pub async fn serve(server: Server, listener: TcpListener) {
    let spare = server.limits().spare_connections;
    let slots = Arc::new(Semaphore::new(server.limits().connections + spare + LEAVING));
    let door = Door { entrance: server.shared.settings.entrance, head: server.limits().head, router: server.router() };
    loop {
        match accept(&listener, &slots).await {
            Ok(Accepted { stream, address, slot }) => {
                // All addresses may be those of the edge, so none has a limit of its own.
                let mut head = server.shared.heads.enter([], usize::MAX, spare);
                let (door, slot) = (door.clone(), OpenSlot::new(slot));
                tokio::spawn(async move {
                    tokio::select! {
                        () = door.admit(stream, address, slot) => {}
                        () = head.displaced() => {}
                    }
                });
            }
            Err(error) => warn!(target: "signal", %error, "a connection could not be accepted"),
        }
    }
}

/// What a new connection meets.
#[derive(Clone)]
struct Door {
    entrance: Entrance,
    /// The timeout for a complete request head.
    head: Duration,
    router: Router,
}

impl Door {
    /// Learns whose connection it is, and answers it until it is a WebSocket or closed.
    async fn admit(mut self, mut stream: TcpStream, address: SocketAddr, slot: OpenSlot) {
        if !self.entrance.is_relayed() {
            return self.answer(stream, address, slot).await;
        }
        if let Ok(Ok(proxied)) = timeout(self.head, proxy_protocol::read(&mut stream)).await {
            self.entrance = self.entrance.at(proxied.map(|proxied| proxied.port));
            self.answer(stream, proxied.map_or(address, |proxied| proxied.client), slot).await;
        }
    }

    async fn answer(self, stream: TcpStream, address: SocketAddr, slot: OpenSlot) {
        let _ = stream.set_nodelay(true);
        let (router, entrance) = (self.router, self.entrance);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(address));
            request.extensions_mut().insert(entrance);
            request.extensions_mut().insert(slot.clone());
            router.clone().oneshot(request)
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(self.head).max_buf_size(HEAD_BYTES);
        // An error here is the client's: a malformed request, a timeout, a reset.
        let _ = http.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    }
}
