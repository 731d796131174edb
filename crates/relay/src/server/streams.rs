//! TCP and TLS: one connection for each client. Each is one task that reads messages, and writes what others send.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::Shared;
use super::tls::Tls;
use crate::allocations::{Client, Path};
use crate::data::CHANNEL_HEADER;
use crate::limits::Limits;
use crate::relay::Authority;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

/// The pause after a connection could not be accepted, such as for too many open files.
pub(super) const PAUSE: Duration = Duration::from_millis(10);
/// The size of a message's header (RFC 8489, section 5).
const MESSAGE_HEADER: usize = 20;
/// The size of the buffer for reading at first. It grows to a whole message.
const READ: usize = 2048;
/// How much is written at once, in bytes, if more than one packet waits.
const WRITE: usize = 16 * 1024;

/// The share of a connection in the bytes that may still wait, as a divisor.
const SHARE: usize = 8;

/// A packet that waits for a connection. Its bytes count until it is gone.
struct Packet {
    bytes: Box<[u8]>,
    own: Arc<AtomicUsize>,
    all: Arc<AtomicUsize>,
}

impl Drop for Packet {
    fn drop(&mut self) {
        for count in [&self.own, &self.all] {
            count.fetch_sub(self.bytes.len(), Ordering::Relaxed);
        }
    }
}

/// The way to a connection.
struct Queue {
    sender: Sender<Packet>,
    /// The number of bytes that wait.
    bytes: Arc<AtomicUsize>,
}

/// All connections.
pub(super) struct Streams {
    limits: Limits,
    next: AtomicU64,
    queues: Mutex<HashMap<u64, Queue>>,
    /// The number of bytes that wait for all connections.
    bytes: Arc<AtomicUsize>,
    /// The connections without an allocation.
    idle: Places,
}

impl Streams {
    pub(super) fn new(limits: &Limits) -> Self {
        let idle = Places::new(limits.idle_per_address);
        let (queues, bytes) = (Mutex::default(), Arc::default());
        Self { limits: limits.clone(), next: AtomicU64::new(0), queues, bytes, idle }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the next connection's number, and the client at its other end.
    pub(super) fn client(&self, address: SocketAddr) -> (u64, Client) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number, Client { path: Path::Stream(number), address })
    }

    /// Returns the number of connections.
    pub(super) fn len(&self) -> usize {
        self.queues.lock().len()
    }

    /// Returns whether another connection would be too many.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.limits.connections
    }

    /// Sends a packet to a connection. If too many wait already, it is lost, as in a network.
    pub(super) fn send(&self, number: u64, packet: &[u8]) {
        let queues = self.queues.lock();
        let Some(queue) = queues.get(&number) else { return };
        let left = self.limits.queued_bytes.saturating_sub(self.bytes.load(Ordering::Relaxed));
        if queue.bytes.load(Ordering::Relaxed) + packet.len() > left / SHARE {
            return;
        }
        for count in [&queue.bytes, &self.bytes] {
            count.fetch_add(packet.len(), Ordering::Relaxed);
        }
        let (own, all) = (Arc::clone(&queue.bytes), Arc::clone(&self.bytes));
        let _ = queue.sender.try_send(Packet { bytes: packet.into(), own, all });
    }

    /// Opens the queue of a connection.
    fn open(&self, number: u64) -> Receiver<Packet> {
        let (sender, waiting) = channel(self.limits.queue);
        self.queues.lock().insert(number, Queue { sender, bytes: Arc::default() });
        waiting
    }

    /// Counts a connection without an allocation, unless its network has too many.
    pub(super) fn idle(&self, network: IpAddr) -> Option<Place<'_>> {
        self.idle.take(network)
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
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, address)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        if shared.streams.is_full() {
            continue;
        }
        let (number, client) = shared.streams.client(address);
        connections.spawn(serve(Arc::clone(&shared), number, client, stream, tls.clone()));
    }
}

async fn serve<A: Authority>(shared: Arc<Shared<A>>, number: u64, client: Client, stream: TcpStream, tls: Option<Tls>) {
    let Some(idle) = shared.streams.idle(client.network()) else { return };
    // Packets of a call are small and must not wait for each other.
    let _ = stream.set_nodelay(true);
    // What ends a connection is nobody's fault and is not logged: strangers could fill the log.
    let _ = match tls {
        None => Connection::new(&shared, number, client, idle).run(stream, Vec::new()).await,
        Some(tls) => match timeout(shared.streams.limits.idle, tls.accept(stream)).await {
            Ok(Ok(Some(stream))) => Connection::new(&shared, number, client, idle).run(stream, Vec::new()).await,
            _ => Ok(()),
        },
    };
}

/// A client of the relay.
pub(super) struct Connection<'a, A: Authority> {
    shared: &'a Shared<A>,
    client: Client,
    number: u64,
    waiting: Receiver<Packet>,
    idle: Option<Place<'a>>,
    /// Since when it has no allocation.
    idle_since: Option<Instant>,
    read: Vec<u8>,
    out: Vec<u8>,
}

impl<'a, A: Authority> Connection<'a, A> {
    pub(super) fn new(shared: &'a Shared<A>, number: u64, client: Client, idle: Place<'a>) -> Self {
        let waiting = shared.streams.open(number);
        let idle_since = Some(Instant::now());
        Self { shared, client, number, waiting, idle: Some(idle), idle_since, read: Vec::new(), out: Vec::new() }
    }

    /// Serves it until it ends. `first` is what was read of it before.
    pub(super) async fn run(mut self, stream: impl AsyncRead + AsyncWrite, first: Vec<u8>) -> io::Result<()> {
        self.read = first;
        if !self.take() {
            return Ok(());
        }
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut seconds = interval(Duration::from_secs(1));
        loop {
            self.read.reserve(READ);
            tokio::select! {
                size = reader.read_buf(&mut self.read) => {
                    if size? == 0 || !self.take() {
                        return Ok(());
                    }
                }
                packet = self.waiting.recv() => {
                    let Some(packet) = packet else { return Ok(()) };
                    self.write(&mut writer, packet).await?;
                }
                _ = seconds.tick() => {
                    if self.is_idle_for_too_long() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Takes the complete messages out of what was read. Returns false if it is none, or too large.
    fn take(&mut self) -> bool {
        let mut rest = self.read.as_slice();
        let valid = loop {
            let Some(header) = rest.first_chunk::<CHANNEL_HEADER>() else { break true };
            let Some(size) = message_size(*header).filter(|size| *size <= self.shared.streams.limits.message_bytes)
            else {
                break false;
            };
            let Some((message, following)) = rest.split_at_checked(size) else { break true };
            self.shared.handle(self.client, message, &mut self.out);
            rest = following;
        };
        let taken = self.read.len() - rest.len();
        self.read.drain(..taken);
        if self.read.is_empty() {
            self.read = Vec::new();
        }
        valid
    }

    /// Writes a packet, and those that wait behind it.
    async fn write(&mut self, writer: &mut (impl AsyncWrite + Unpin), packet: Packet) -> io::Result<()> {
        let deadline = self.shared.streams.limits.write;
        let mut batch = packet.bytes.to_vec();
        while batch.len() < WRITE {
            let Ok(packet) = self.waiting.try_recv() else { break };
            batch.extend_from_slice(&packet.bytes);
        }
        timeout(deadline, async {
            writer.write_all(&batch).await?;
            writer.flush().await
        })
        .await?
    }

    fn is_idle_for_too_long(&mut self) -> bool {
        if self.shared.relay.lock().has_allocation(&self.client) {
            (self.idle, self.idle_since) = (None, None);
            return false;
        }
        self.idle_since.get_or_insert_with(Instant::now).elapsed() >= self.shared.streams.limits.idle
    }
}

impl<A: Authority> Drop for Connection<'_, A> {
    fn drop(&mut self) {
        self.shared.streams.queues.lock().remove(&self.number);
        self.shared.relay.lock().disconnected(&self.client);
    }
}

/// Returns the size of a message on a connection, padding included (RFC 8656, section 12.5), by its first bytes; `None`
/// if it is neither a message nor data of a channel.
fn message_size(header: [u8; CHANNEL_HEADER]) -> Option<usize> {
    let [kind, _, high, low] = header;
    let length = usize::from(u16::from_be_bytes([high, low]));
    match kind >> 6 {
        0 => Some(MESSAGE_HEADER + length),
        1 => Some(CHANNEL_HEADER + length.next_multiple_of(4)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends packets of 100 bytes until one is lost, and returns how many were taken.
    fn fill(streams: &Streams, number: u64) -> usize {
        let waiting = || streams.bytes.load(Ordering::Relaxed);
        let mut taken = 0;
        loop {
            let before = waiting();
            streams.send(number, &[0; 100]);
            if waiting() == before {
                return taken;
            }
            taken += 1;
        }
    }

    #[test]
    fn bytes_that_wait_are_bounded_and_shared_between_connections() {
        let limits = Limits { queued_bytes: 72_000, queue: 1000, ..Limits::default() };
        let streams = Streams::new(&limits);
        let mut queues: Vec<_> = (0..100).map(|number| streams.open(number)).collect();
        assert_eq!(fill(&streams, 0), 80, "a ninth: an eighth of what is then left");
        let taken: Vec<usize> = (1..99).map(|number| fill(&streams, number)).collect();
        assert!(streams.bytes.load(Ordering::Relaxed) <= limits.queued_bytes);
        assert!(taken.is_sorted_by(|one, next| one >= next), "{taken:?}");
        // Those who take nothing end after some seconds.
        queues.drain(..99);
        for number in 0..99 {
            streams.queues.lock().remove(&number);
        }
        assert_eq!(streams.bytes.load(Ordering::Relaxed), 0);
        assert_eq!(fill(&streams, 99), 80);
        // What was written makes place.
        assert!(queues[0].try_recv().is_ok());
        assert_eq!(fill(&streams, 99), 1);
    }
}
