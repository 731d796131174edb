//! The load: many connections that do nothing, pairs that send as fast as they are answered, and pairs that send at a
//! steady pace.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _};
use peersync_server::tickets::TicketKeys;
use tokio::time::{MissedTickBehavior, interval_at, timeout};

use super::client::{Client, sent_at};
use super::process::cpu;
use super::relays::Relay;

/// The number of clients that send, two in each pair.
pub const ACTIVE: usize = 200;
/// The maximum number of connections that are opened at the same time.
const AT_ONCE: usize = 64;
/// Messages of one sender that are under way in the race.
const WINDOW: usize = 8;

/// How fast clients were connected, each with its hello and its room.
#[derive(Clone, Copy, Debug)]
pub struct Connects {
    /// Clients per second.
    pub per_second: f64,
    /// Clients per second of the relay's processor time.
    pub per_core_second: f64,
}

/// The result of the race.
#[derive(Clone, Copy, Debug)]
pub struct Throughput {
    /// Messages that arrived, per second.
    pub per_second: f64,
    /// Messages per second of the relay's processor time.
    pub per_core_second: f64,
}

/// Latencies in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    /// Messages per second that were sent.
    pub rate: f64,
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The 99.9th percentile.
    pub p999: f64,
}

/// Connects the clients of these numbers.
///
/// # Errors
/// If a connection was refused.
pub async fn connect(
    relay: &Relay,
    numbers: Range<usize>,
    keys: &TicketKeys,
) -> Result<(Vec<Client>, Connects), String> {
    let (kind, port) = (relay.kind, relay.port);
    let (begin, before) = (Instant::now(), cpu(relay.pid()));
    // In order, so that both halves of a pair come one after the other.
    let made: Vec<_> = stream::iter(numbers)
        .map(|number| async move { Client::connect(kind, port, number, keys).await })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let clients = made.into_iter().collect::<Result<Vec<_>, _>>()?;
    let count = clients.len() as f64;
    let used = (cpu(relay.pid()) - before).as_secs_f64().max(0.01);
    Ok((clients, Connects { per_second: count / begin.elapsed().as_secs_f64(), per_core_second: count / used }))
}

/// Pairs that keep a window of messages under way in both directions.
pub async fn race(relay: &Relay, clients: Vec<Client>, time: Duration) -> (Throughput, Vec<Client>) {
    let (count, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let names: Vec<_> = clients.iter().map(|client| client.name.clone()).collect();
    let racing: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(number, mut client)| {
            let (count, stop) = (Arc::clone(&count), Arc::clone(&stop));
            let message = client.message(&names[number ^ 1], 0);
            tokio::spawn(async move {
                for _ in 0..WINDOW {
                    client.send(message.clone()).await.ok()?;
                }
                // Once it is over what is under way still arrives, so that the connections can be used again.
                while let Ok(Ok(text)) = timeout(Duration::from_millis(500), client.receive()).await {
                    if sent_at(&text).is_none() {
                        continue;
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                    if !stop.load(Ordering::Relaxed) {
                        client.send(message.clone()).await.ok()?;
                    }
                }
                Some(client)
            })
        })
        .collect();
    // The start is not measured.
    tokio::time::sleep(time / 5).await;
    let (begin, before, first) = (Instant::now(), cpu(relay.pid()), count.load(Ordering::Relaxed));
    tokio::time::sleep(time).await;
    let relayed = (count.load(Ordering::Relaxed) - first) as f64;
    let used = (cpu(relay.pid()) - before).as_secs_f64().max(0.01);
    let throughput =
        Throughput { per_second: relayed / begin.elapsed().as_secs_f64(), per_core_second: relayed / used };
    stop.store(true, Ordering::Relaxed);
    let mut clients = Vec::new();
    for raced in racing {
        clients.extend(raced.await.ok().flatten());
    }
    (throughput, clients)
}

/// Pairs of which one half sends `rate` messages per second, all together, and the other notes when they arrive.
pub async fn steady(clients: Vec<Client>, rate: f64, time: Duration) -> Latency {
    let start = Instant::now();
    let begin = tokio::time::Instant::now() + Duration::from_millis(100);
    let pairs = clients.len() / 2;
    let period = Duration::from_secs_f64(pairs as f64 / rate);
    let mut clients = clients.into_iter();
    let mut receiving = Vec::new();
    while let (Some(mut sender), Some(mut receiver)) = (clients.next(), clients.next()) {
        let to = receiver.name.clone();
        let offset = period.mul_f64(receiving.len() as f64 / pairs as f64);
        tokio::spawn(async move {
            let mut timer = interval_at(begin + offset, period);
            // A late sender catches up, or the load would hide what it should show.
            timer.set_missed_tick_behavior(MissedTickBehavior::Burst);
            while start.elapsed() < time {
                timer.tick().await;
                let now = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
                if sender.send(sender.message(&to, now)).await.is_err() {
                    return;
                }
            }
            // Kept until the other half has everything.
            tokio::time::sleep(Duration::from_secs(2)).await;
        });
        receiving.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            while let Ok(Ok(text)) = timeout(Duration::from_secs(1), receiver.receive()).await {
                if let Some(sent) = sent_at(&text) {
                    let now = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    latencies.push(now.saturating_sub(sent));
                }
            }
            latencies
        }));
    }
    let mut latencies = Vec::new();
    for received in receiving {
        latencies.extend(received.await.unwrap_or_default());
    }
    latencies.sort_unstable();
    let at = |share: f64| {
        let index = ((latencies.len() as f64 * share) as usize).min(latencies.len().saturating_sub(1));
        latencies.get(index).map_or(f64::NAN, |nanoseconds| *nanoseconds as f64 / 1e6)
    };
    Latency { rate: latencies.len() as f64 / time.as_secs_f64(), p50: at(0.5), p99: at(0.99), p999: at(0.999) }
}
