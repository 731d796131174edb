//! Packets between the halves of pairs, through a relay or directly.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use peersync_relay::client::channel_data;
use tokio::net::UdpSocket;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::client::{CHANNEL, Client};

/// The size of the data of a packet, in bytes: that of video.
pub const DATA: usize = 1000;
/// The packets of a pair that are on their way each way, in the load without pauses.
const WINDOW: usize = 4;
/// The interval of the load with pauses.
const TICK: Duration = Duration::from_millis(1);

/// Two sockets whose packets reach each other.
pub struct Pair {
    halves: [Arc<UdpSocket>; 2],
    /// What is sent: the data with its header. The time is written at the end.
    packet: Vec<u8>,
}

impl Pair {
    /// Connects two clients through a relay.
    ///
    /// # Errors
    /// The relay refuses, or does not answer.
    pub async fn relayed(relay: SocketAddr, number: usize) -> io::Result<Self> {
        let mut one = Client::allocate(relay, 2 * number).await?;
        let mut other = Client::allocate(relay, 2 * number + 1).await?;
        one.channel(other.relayed).await?;
        other.channel(one.relayed).await?;
        let (one, other) = (Arc::new(one.socket), Arc::new(other.socket));
        Ok(Self { halves: [one, other], packet: channel_data(CHANNEL, &[0; DATA]) })
    }

    /// Connects two sockets with each other, for comparison.
    ///
    /// # Errors
    /// The system has no sockets.
    pub async fn direct() -> io::Result<Self> {
        let (one, other) = (UdpSocket::bind(("127.0.0.1", 0)).await?, UdpSocket::bind(("127.0.0.1", 0)).await?);
        one.connect(other.local_addr()?).await?;
        other.connect(one.local_addr()?).await?;
        let halves = [Arc::new(one), Arc::new(other)];
        Ok(Self { halves, packet: channel_data(CHANNEL, &[0; DATA]) })
    }
}

/// Lets every pair answer each packet with another one, and returns a counter of those received. It ends when the tasks
/// are dropped.
pub fn without_pauses(pairs: &[Pair]) -> (JoinSet<()>, Arc<AtomicU64>) {
    let (mut tasks, received) = (JoinSet::new(), Arc::new(AtomicU64::new(0)));
    for pair in pairs {
        for half in &pair.halves {
            let (socket, packet, received) = (Arc::clone(half), pair.packet.clone(), Arc::clone(&received));
            tasks.spawn(async move {
                let mut buffer = [0; 2048];
                for _ in 0..WINDOW {
                    let _ = socket.send(&packet).await;
                }
                while socket.recv(&mut buffer).await.is_ok() {
                    received.fetch_add(1, Ordering::Relaxed);
                    let _ = socket.send(&packet).await;
                }
            });
        }
    }
    (tasks, received)
}

/// How long packets took, sorted, and how many were sent.
pub struct Latencies {
    /// Those that arrived.
    pub arrived: Vec<Duration>,
    /// The number of packets sent.
    pub sent: usize,
}

impl Latencies {
    /// Returns the latency that this fraction of the packets does not exceed.
    pub fn quantile(&self, fraction: f64) -> Duration {
        let at = (self.arrived.len() as f64 * fraction) as usize;
        self.arrived.get(at.min(self.arrived.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

/// Sends this many packets per second over all pairs, and measures how long each takes.
pub async fn latencies(pairs: &[Pair], rate: f64, duration: Duration) -> Latencies {
    let begin = Instant::now();
    let (sender, mut arrived) = unbounded_channel();
    let mut tasks = JoinSet::new();
    for pair in pairs {
        for half in &pair.halves {
            tasks.spawn(receive(Arc::clone(half), begin, sender.clone()));
        }
    }
    drop(sender);
    let sent = send(pairs, rate, begin, duration).await;
    sleep(Duration::from_millis(200)).await;
    drop(tasks);
    let mut all = Vec::new();
    while let Some(latency) = arrived.recv().await {
        all.push(latency);
    }
    all.sort();
    Latencies { arrived: all, sent }
}

async fn receive(socket: Arc<UdpSocket>, begin: Instant, arrived: UnboundedSender<Duration>) {
    let mut buffer = [0; 2048];
    while let Ok(size) = socket.recv(&mut buffer).await {
        let sent = buffer[..size].last_chunk::<8>().map(|nanos| Duration::from_nanos(u64::from_be_bytes(*nanos)));
        if let Some(sent) = sent {
            let _ = arrived.send(begin.elapsed().saturating_sub(sent));
        }
    }
}

async fn send(pairs: &[Pair], rate: f64, begin: Instant, duration: Duration) -> usize {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sent = 0;
    while begin.elapsed() < duration {
        ticks.tick().await;
        let due = (begin.elapsed().as_secs_f64() * rate) as usize;
        while sent < due {
            let pair = &pairs[sent % pairs.len()];
            let mut packet = pair.packet.clone();
            let nanos = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let end = packet.len() - 8;
            packet[end..].copy_from_slice(&nanos.to_be_bytes());
            let half = &pair.halves[sent / pairs.len() % 2];
            let _ = half.try_send(&packet);
            sent += 1;
        }
    }
    sent
}
