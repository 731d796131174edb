//! Packets that wait for connections, and what all of them together take of the memory.

use std::collections::HashMap;
use std::io;
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::limits::Limits;
use parking_lot::Mutex;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

/// How much is written at once, in bytes, if more than one packet waits.
const WRITE: usize = 16 * 1024;
/// The share of a connection in the bytes that may still wait, as a divisor.
const SHARE: usize = 8;
/// What a packet takes beside its bytes: 32 in the queue, and what the allocator adds to both.
const OVERHEAD: usize = 64;
/// How often the bytes of a packet are counted: while they are written, they are in a batch, and encrypted in TLS.
const COPIES: usize = 2;

/// Returns what a packet counts.
const fn cost(packet: &[u8]) -> usize {
    COPIES * packet.len() + OVERHEAD
}

/// What is counted for a connection, and for all.
#[derive(Default)]
struct Counts {
    own: AtomicUsize,
    all: Arc<AtomicUsize>,
}

/// Bytes that count until this is dropped.
struct Held {
    bytes: usize,
    counts: Arc<Counts>,
}

impl Held {
    fn new(bytes: usize, counts: &Arc<Counts>) -> Self {
        counts.own.fetch_add(bytes, Ordering::Relaxed);
        counts.all.fetch_add(bytes, Ordering::Relaxed);
        Self { bytes, counts: Arc::clone(counts) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counts.own.fetch_sub(self.bytes, Ordering::Relaxed);
        self.counts.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A packet that waits for a connection.
struct Packet {
    bytes: Box<[u8]>,
    held: Held,
}

/// The way to a connection.
struct Queue {
    sender: Sender<Packet>,
    counts: Arc<Counts>,
}

/// The queues of all connections, by number.
pub(super) struct Queues {
    /// The maximum number of packets in one.
    packets: usize,
    /// The maximum number of bytes in all.
    most: usize,
    /// The number of bytes that each may have, however many the others have.
    least: usize,
    open: Mutex<HashMap<u64, Queue>>,
    /// The number of bytes that wait for all connections.
    bytes: Arc<AtomicUsize>,
}

impl Queues {
    pub(super) fn new(limits: &Limits) -> Self {
        let (packets, most, least) = (limits.queue, limits.queued_bytes, limits.queued_least);
        Self { packets, most, least, open: Mutex::default(), bytes: Arc::default() }
    }

    /// Returns the number of connections.
    pub(super) fn len(&self) -> usize {
        self.open.lock().len()
    }

    /// Sends a packet to a connection. If too many wait already, it is lost, as in a network.
    pub(super) fn send(&self, number: u64, packet: &[u8]) {
        let open = self.open.lock();
        let Some(Queue { sender, counts }) = open.get(&number) else { return };
        let left = self.most.saturating_sub(self.bytes.load(Ordering::Relaxed));
        let cost = cost(packet);
        if counts.own.load(Ordering::Relaxed) + cost > self.least.max(left / SHARE) {
            return;
        }
        let _ = sender.try_send(Packet { bytes: packet.into(), held: Held::new(cost, counts) });
    }

    /// Opens the queue of a connection.
    pub(super) fn open(&self, number: u64) -> Waiting {
        let (sender, waiting) = channel(self.packets);
        let counts = Arc::new(Counts { all: Arc::clone(&self.bytes), ..Counts::default() });
        self.open.lock().insert(number, Queue { sender, counts });
        Waiting(waiting)
    }

    /// Closes the queue of a connection.
    pub(super) fn close(&self, number: u64) {
        self.open.lock().remove(&number);
    }
}

/// The packets that wait for a connection.
pub(super) struct Waiting(Receiver<Packet>);

impl Waiting {
    /// Waits for a packet, and returns it with those behind it; `None` if the queue is closed. Nothing is lost if this is
    /// dropped before.
    pub(super) async fn next(&mut self) -> Option<Batch> {
        let Packet { bytes, mut held } = self.0.recv().await?;
        let mut size = bytes.len();
        let mut packets = vec![bytes];
        while size < WRITE {
            let Ok(Packet { bytes, held: mut behind }) = self.0.try_recv() else { break };
            size += bytes.len();
            packets.push(bytes);
            held.bytes += take(&mut behind.bytes);
        }
        Some(Batch { bytes: packets.concat(), _held: held })
    }
}

/// What is written at once. It counts until it is written, as its packets did in the queue.
pub(super) struct Batch {
    bytes: Vec<u8>,
    _held: Held,
}

impl Batch {
    /// Writes it.
    ///
    /// # Errors
    /// The other side is gone, or takes nothing for as long as `deadline`.
    pub(super) async fn write(self, writer: &mut (impl AsyncWrite + Unpin), deadline: Duration) -> io::Result<()> {
        timeout(deadline, async {
            writer.write_all(&self.bytes).await?;
            writer.flush().await
        })
        .await?
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use std::future::ready;
    use std::pin::pin;

    use tokio::io::{AsyncReadExt as _, duplex};

    use super::*;

    /// Longer than the test.
    const LONG: Duration = Duration::from_secs(600);

    fn waiting(queues: &Queues) -> usize {
        queues.bytes.load(Ordering::Relaxed)
    }

    /// Sends packets of this size until one is lost, and returns how many were taken.
    fn fill(queues: &Queues, number: u64, size: usize) -> usize {
        let mut taken = 0;
        loop {
            let before = waiting(queues);
            queues.send(number, &vec![0; size]);
            if waiting(queues) == before {
                return taken;
            }
            taken += 1;
        }
    }

    #[test]
    fn bytes_that_wait_are_bounded_and_shared_between_connections() {
        let most = 720 * cost(&[0; 100]);
        let queues = Queues::new(&Limits { queued_bytes: most, queued_least: 0, queue: 1000, ..Limits::default() });
        let mut open: Vec<_> = (0..100).map(|number| queues.open(number)).collect();
        assert_eq!(fill(&queues, 0, 100), 80, "a ninth: an eighth of what is then left");
        let taken: Vec<usize> = (1..99).map(|number| fill(&queues, number, 100)).collect();
        assert!(waiting(&queues) <= most);
        assert!(taken.is_sorted_by(|one, next| one >= next), "{taken:?}");
        // Those who take nothing end after some seconds.
        open.drain(..99);
        (0..99).for_each(|number| queues.close(number));
        assert_eq!(waiting(&queues), 0);
        assert_eq!(fill(&queues, 99, 100), 80);
        // What was written makes place.
        assert!(open[0].0.try_recv().is_ok());
        assert_eq!(fill(&queues, 99, 100), 1);
    }

    #[test]
    fn each_connection_keeps_its_own_part_if_others_take_all() {
        let limits = Limits { queued_bytes: 100_000, ..Limits::default() };
        let queues = Queues::new(&limits);
        let _open: Vec<_> = (0..100).map(|number| queues.open(number)).collect();
        for number in 0..99 {
            fill(&queues, number, 100);
        }
        assert!(limits.queued_least > cost(&[0; 1500]), "a part is a packet or more");
        assert_eq!(fill(&queues, 99, 100), limits.queued_least / cost(&[0; 100]));
        assert!(waiting(&queues) <= limits.queued_bytes + 100 * limits.queued_least);
    }

    #[test]
    fn small_packets_count_what_they_take() {
        let queues = Queues::new(&Limits { queue: 1_000_000, ..Limits::default() });
        let _open = queues.open(0);
        let taken = fill(&queues, 0, 4);
        assert!(taken * (size_of::<Packet>() + 32) <= Limits::default().queued_bytes / SHARE, "{taken}");
    }

    #[tokio::test]
    async fn packets_for_a_blocked_reader_count_until_they_are_written() {
        let queues = Queues::new(&Limits::default());
        let mut open = queues.open(0);
        assert_eq!(fill(&queues, 0, 1200), Limits::default().queue);
        let full = waiting(&queues);
        let (mut reader, mut writer) = duplex(1000);
        let batch = open.next().await.unwrap();
        let size = batch.bytes.len();
        assert!(size >= WRITE && batch.bytes.capacity() == size, "{size}");
        {
            let mut writing = pin!(batch.write(&mut writer, LONG));
            tokio::select! {
                biased;
                _ = &mut writing => panic!("nobody reads"),
                () = ready(()) => {}
            }
            assert_eq!(waiting(&queues), full, "while it is written");
            let mut read = vec![0; size];
            let (written, _) = tokio::join!(writing, reader.read_exact(&mut read));
            written.unwrap();
        }
        assert_eq!(waiting(&queues), full - size / 1200 * cost(&[0; 1200]));
        // Who takes nothing is given up.
        let batch = open.next().await.unwrap();
        let before = waiting(&queues);
        assert!(batch.write(&mut writer, Duration::ZERO).await.is_err());
        assert!(waiting(&queues) < before);
        drop(open);
        assert_eq!(waiting(&queues), 0);
    }
}
