//! Accepts connections, plain or TLS, and closes them in time.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use peersync_server::accept::{Accepted, accept};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::debug;

use super::conditions::Conditions;
use super::wire::{self, Line};

/// The maximum number of connections; further ones wait. A laptop's browser windows need a few dozen.
const CONNECTIONS: usize = 1024;
/// How long a client may take to send a complete request head.
const HEAD_DEADLINE: Duration = Duration::from_secs(15);
/// How long requests in flight may take after Ctrl-C, so that everything ends within a second.
const GRACE: Duration = Duration::from_millis(400);

/// What a connection needs.
#[derive(Clone)]
pub struct Listening {
    /// The routes.
    pub app: Router,
    /// Certificate and key, for HTTPS.
    pub tls: Option<TlsAcceptor>,
    /// The network conditions.
    pub conditions: Arc<Conditions>,
}

/// Serves until `stop`, then waits for requests in flight for a moment.
pub async fn serve(listener: TcpListener, listening: Listening, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let Ok(Accepted { stream, address, slot }) = accepted else { continue };
        connections.spawn(connection(stream, address, listening.clone(), stop.clone(), slot));
    }
    drop(listener);
    // Requests that take longer are cut off: the process ends.
    connections.close();
    let _ = tokio::time::timeout(GRACE, connections.wait()).await;
}

async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    listening: Listening,
    stop: CancellationToken,
    _permit: OwnedSemaphorePermit,
) {
    let _ = stream.set_nodelay(true);
    let line = Line::default();
    let stream = wire::connect(stream, line.clone(), Arc::clone(&listening.conditions));
    let ended = match &listening.tls {
        Some(tls) => match tokio::time::timeout(HEAD_DEADLINE, tls.accept(stream)).await {
            Ok(Ok(stream)) => answer(stream, address, listening.clone(), line, stop).await,
            Ok(Err(error)) => Err(error.into()),
            Err(error) => Err(error.into()),
        },
        None => answer(stream, address, listening, line, stop).await,
    };
    if let Err(error) = ended {
        debug!(target: "edge", %address, %error, "a connection ended");
    }
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    address: SocketAddr,
    listening: Listening,
    line: Line,
    stop: CancellationToken,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let service = service_fn(move |request| {
        let (app, conditions, line) = (listening.app.clone(), Arc::clone(&listening.conditions), line.clone());
        async move { respond(request, address, app, &conditions, &line).await }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    Ok(connection.await?)
}

async fn respond(
    request: hyper::Request<Incoming>,
    address: SocketAddr,
    app: Router,
    conditions: &Conditions,
    line: &Line,
) -> Result<Response, &'static str> {
    let path = request.uri().path();
    if path == "/ws" {
        line.becomes_signaling();
    }
    if path.starts_with("/api/") {
        tokio::time::sleep(conditions.latency()).await;
        if conditions.lost() {
            // An error of the service closes the connection without an answer.
            return Err("lost, as set by --drop");
        }
    }
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(address));
    app.oneshot(request).await.map_err(|never: Infallible| match never {})
}
