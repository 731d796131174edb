//! Accepts connections, plain or TLS, and closes them in time.

use std::convert::Infallible;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::HOST;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use peersync_places::{Displaced, Place, Places};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::debug;

use super::conditions::Conditions;
use super::held::Held;
use super::site::{FromThisComputer, site};
use super::wire::{self, Line};
use crate::local::certificate::Certificates;

/// The maximum number of connections, beyond which the longest silent one gives way. A laptop's browser windows need a
/// few dozen, and half of the usual 1024 open files remain for everything else.
const CONNECTIONS: usize = 512;
/// The maximum number of connections of an address in the network: a browser has at most six to a site, and several
/// phones may share an address.
const PER_ADDRESS: usize = 128;
/// The pause after an error of the listener, such as too many open files.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a client may take to send a complete request head.
const HEAD_DEADLINE: Duration = Duration::from_secs(15);
/// How long requests in flight may take after Ctrl-C, so that everything ends within a second.
const GRACE: Duration = Duration::from_millis(400);

/// The addresses of the two ends of a connection.
#[derive(Clone, Copy)]
struct Ends {
    remote: SocketAddr,
    local: SocketAddr,
}

/// One connection.
#[derive(Clone)]
struct Client {
    ends: Ends,
    line: Line,
    place: Arc<Place>,
}

/// What a connection needs.
#[derive(Clone)]
pub struct Listening {
    /// The routes.
    pub app: Router,
    /// Certificate and key, for HTTPS.
    pub tls: Option<Arc<Certificates>>,
    /// The network conditions.
    pub conditions: Arc<Conditions>,
}

/// Serves until `stop`, then waits for requests in flight for a moment.
pub async fn serve(listener: TcpListener, listening: Listening, stop: CancellationToken) {
    let places = Places::new(CONNECTIONS, PER_ADDRESS);
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, address)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        // Without a place it is closed at once.
        let Some((place, displaced)) = places.enter(address.ip()) else { continue };
        connections.spawn(connection(stream, address, listening.clone(), stop.clone(), (place, displaced)));
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
    (place, displaced): (Place, Displaced),
) {
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let ends = Ends { remote: address, local };
    let line = Line::default();
    let (stream, pumps) = wire::connect(stream, line.clone(), Arc::clone(&listening.conditions));
    let client = Client { ends, line, place: Arc::new(place) };
    let ended = tokio::select! {
        ended = serve_one(stream, client, listening, stop) => ended,
        () = displaced.wait() => {
            pumps.abort();
            Err("it was silent for longest, and others came".into())
        }
    };
    if let Err(error) = ended {
        debug!(target: "edge", %address, %error, "a connection ended");
    }
}

async fn serve_one(
    stream: DuplexStream,
    client: Client,
    listening: Listening,
    stop: CancellationToken,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    match listening.tls.clone() {
        Some(tls) => answer(encrypted(&tls, stream, client.ends.local.ip()).await?, client, listening, stop).await,
        None => answer(stream, client, listening, stop).await,
    }
}

async fn encrypted(
    tls: &Certificates,
    stream: DuplexStream,
    local: IpAddr,
) -> Result<TlsStream<DuplexStream>, Box<dyn Error + Send + Sync>> {
    let accepting = tls.acceptor(local)?.accept(stream);
    Ok(tokio::time::timeout(HEAD_DEADLINE, accepting).await??)
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    client: Client,
    listening: Listening,
    stop: CancellationToken,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let service = service_fn(move |request| {
        let (listening, client, busy) = (listening.clone(), client.clone(), client.place.busy());
        async move { Ok::<_, &str>(Held::response(respond(request, listening, &client).await?, busy)) }
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
    Listening { app, tls, conditions }: Listening,
    Client { ends, line, .. }: &Client,
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
    request.extensions_mut().insert(ConnectInfo(ends.remote));
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if let Some(site) = site(host, ends.local, tls.is_some()) {
        request.extensions_mut().insert(site);
    }
    // A connection between two addresses of one computer has the same one at both ends, unless it chose another.
    if ends.remote.ip() == ends.local.ip() {
        request.extensions_mut().insert(FromThisComputer);
    }
    app.oneshot(request).await.map_err(|never: Infallible| match never {})
}
