//! TCP and TLS: one connection for each client. Each is one task that reads messages, and writes what others send.

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::guarded::{Decrypted, Guarded};
use super::input::Input;
use super::queues::{Queues, Waiting};
use super::tls::Tls;
use super::unfinished::Unfinished;
use super::{Shared, listening};
use crate::allocations::{Client, Path};
use crate::limits::Limits;
use crate::relay::Authority;
use parking_lot::Mutex;
use peersync_server::client_address::Network;
use peersync_server::newcomers::{Newcomer, Newcomers};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, interval, timeout};

/// All connections.
pub(super) struct Streams {
    limits: Limits,
    next: AtomicU64,
    queues: Queues,
    /// The connections without an allocation.
    idle: Arc<Newcomers>,
    /// The connections that have not shown what they are.
    newcomers: Arc<Newcomers>,
    unfinished: Arc<Unfinished>,
}

impl Streams {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            next: AtomicU64::new(0),
            queues: Queues::new(limits),
            idle: Arc::default(),
            newcomers: Arc::default(),
            unfinished: Unfinished::new(limits.unfinished_bytes),
        }
    }

    /// Returns the next connection's number, and the client at its other end.
    pub(super) fn client(&self, address: SocketAddr) -> (u64, Client) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number, Client { path: Path::Stream(number), address })
    }

    /// Returns the number of connections.
    pub(super) fn len(&self) -> usize {
        self.queues.len()
    }

    /// Returns whether another connection would be too many.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.limits.connections
    }

    /// Sends a packet to a connection. If too many wait already, it is lost, as in a network.
    pub(super) fn send(&self, number: u64, packet: &[u8]) {
        self.queues.send(number, packet);
    }

    /// Counts a connection without an allocation. If there are too many, the oldest has to give way.
    fn idle(&self, client: &Client) -> Newcomer {
        let networks = Network::of_one_customer(client.address.ip());
        self.idle.enter(networks, self.limits.idle_per_site, self.limits.idle_connections)
    }
}

impl Streams {
    /// Waits for what a connection shows first, as long as that may take. Returns `None` if it needs nothing more, or if newer
    /// connections need its place.
    pub(super) async fn shown<Found>(
        &self,
        client: &Client,
        showing: impl Future<Output = io::Result<Option<Found>>>,
    ) -> Option<Found> {
        let networks = Network::of_one_customer(client.address.ip());
        let mut place = self.newcomers.enter(networks, self.limits.undecided_per_site, self.limits.undecided);
        tokio::select! {
            shown = timeout(self.limits.idle, showing) => shown.ok()?.ok()?,
            () = place.displaced() => None,
        }
    }

    /// Returns a connection for TLS whose unfinished messages are bounded.
    pub(super) fn guarded(&self, stream: TcpStream, client: &Client) -> Guarded {
        let address = client.address.ip();
        let site = Network::of_one_customer(address).last().unwrap_or(Network::of(address));
        Guarded::new(stream, self.unfinished.of(site), self.limits.handshake_bytes)
    }
}

/// As many places for each network.
pub(super) struct Places {
    each: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

impl Places {
    pub(super) fn new(each: usize) -> Self {
        Self { each, taken: Mutex::default() }
    }

    /// Takes one of the network's places, unless all are taken.
    pub(super) fn take(&self, network: IpAddr) -> Option<Place<'_>> {
        let mut taken = self.taken.lock();
        let count = taken.entry(network).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Place { places: self, network })
    }
}

/// A place that is free again when this is dropped.
pub(super) struct Place<'a> {
    places: &'a Places,
    network: IpAddr,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        if let Some(count) = taken.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.network);
            }
        }
    }
}

/// Accepts connections, and closes at once what is too many.
pub(super) async fn accept<A: Authority>(shared: Arc<Shared<A>>, listener: TcpListener, tls: Option<Tls>) {
    let serve = |stream, address| {
        if shared.streams.is_full() {
            return None;
        }
        let (number, client) = shared.streams.client(address);
        Some(serve(Arc::clone(&shared), number, client, stream, tls.clone()))
    };
    listening::each(listener, serve).await;
}

async fn serve<A: Authority>(shared: Arc<Shared<A>>, number: u64, client: Client, stream: TcpStream, tls: Option<Tls>) {
    // Packets of a call are small and must not wait for each other.
    let _ = stream.set_nodelay(true);
    // What ends a connection is nobody's fault and is not logged: strangers could fill the log.
    let _ = match tls {
        None => relayed(&shared, number, client, stream, Vec::new()).await,
        Some(tls) => {
            let stream = shared.streams.guarded(stream, &client);
            // In a box, which is gone once the handshake is over.
            match shared.streams.shown(&client, Box::pin(tls.accept(stream))).await.map(Decrypted::new) {
                Some(stream) => relayed(&shared, number, client, stream, Vec::new()).await,
                None => Ok(()),
            }
        }
    };
}

/// Serves a client, unless there are too many. `first` is what was read of it before.
///
/// # Errors
/// The client is gone, or takes nothing for too long.
pub(super) async fn relayed<A: Authority>(
    shared: &Shared<A>,
    number: u64,
    client: Client,
    stream: impl AsyncRead + AsyncWrite,
    first: Vec<u8>,
) -> io::Result<()> {
    // Others may have come since it was accepted.
    if shared.streams.is_full() {
        return Ok(());
    }
    Connection::new(shared, number, client, first).run(stream).await
}

/// A client of the relay.
struct Connection<'a, A: Authority> {
    shared: &'a Shared<A>,
    client: Client,
    number: u64,
    waiting: Waiting,
    /// Its place among those without an allocation.
    idle: Option<Newcomer>,
    /// Since when it has no allocation.
    idle_since: Option<Instant>,
    input: Input,
}

impl<'a, A: Authority> Connection<'a, A> {
    /// Opens its queue. `first` is what was read of it before.
    fn new(shared: &'a Shared<A>, number: u64, client: Client, first: Vec<u8>) -> Self {
        let idle = shared.streams.idle(&client);
        let waiting = shared.streams.queues.open(number);
        let input = Input::new(first, shared.streams.limits.message_bytes);
        Self { shared, client, number, waiting, idle: Some(idle), idle_since: Some(Instant::now()), input }
    }

    /// Serves it until it ends.
    async fn run(mut self, stream: impl AsyncRead + AsyncWrite) -> io::Result<()> {
        if !self.take() {
            return Ok(());
        }
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut seconds = interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                size = reader.read_buf(self.input.room()) => {
                    if size? == 0 || !self.take() {
                        return Ok(());
                    }
                }
                batch = self.waiting.next() => {
                    let Some(batch) = batch else { return Ok(()) };
                    batch.write(&mut writer, self.shared.streams.limits.write).await?;
                }
                _ = seconds.tick() => {
                    if self.is_idle_for_too_long() {
                        return Ok(());
                    }
                }
                () = displaced(&mut self.idle) => {
                    if !self.has_allocation() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Takes in the messages that are complete. Returns false if what was read is none, or too large.
    fn take(&mut self) -> bool {
        // Not a part of the connection, since what a packet needs would stay while it waits.
        let mut out = Vec::new();
        let Self { shared, client, input, .. } = self;
        input.take(|message| shared.handle(*client, message, &mut out))
    }

    /// Returns whether it has an allocation, and needs no place among those that have none.
    fn has_allocation(&mut self) -> bool {
        let has = self.shared.relay.lock().has_allocation(&self.client);
        if has {
            (self.idle, self.idle_since) = (None, None);
        } else if self.idle.is_none() {
            // It had one until now.
            self.idle = Some(self.shared.streams.idle(&self.client));
        }
        has
    }

    fn is_idle_for_too_long(&mut self) -> bool {
        if self.has_allocation() {
            return false;
        }
        self.idle_since.get_or_insert_with(Instant::now).elapsed() >= self.shared.streams.limits.idle
    }
}

/// Waits until the place is needed for a newer connection.
async fn displaced(place: &mut Option<Newcomer>) {
    match place {
        Some(place) => place.displaced().await,
        None => pending().await,
    }
}

impl<A: Authority> Drop for Connection<'_, A> {
    fn drop(&mut self) {
        self.shared.streams.queues.close(self.number);
        self.shared.relay.lock().disconnected(&self.client);
    }
}
