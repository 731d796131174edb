//! What is measured of each relay.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::client::Client;
use super::load::{Latencies, Pair, latencies, without_pauses};
use super::servers::{Kind, Server};
use crate::signal_bench::process::{cpu, memory};

/// The number of pairs that send to each other.
const PAIRS: usize = 20;
/// The number of allocations for the memory of one.
const ALLOCATIONS: usize = 1000;
/// The number of clients that ask for an allocation at a time.
const AT_A_TIME: usize = 16;
/// How long load is measured.
const MEASURED: Duration = Duration::from_secs(5);
/// How long load runs before it is measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// What was measured of a relay.
pub struct Row {
    /// Which one.
    pub kind: Kind,
    /// The packets that it relayed per second of a core.
    pub packets_per_core: f64,
    /// The packets that it relayed per second, with the generator on the other core.
    pub packets: f64,
    /// The allocations that it made per second.
    pub allocations: f64,
    /// The memory of an allocation, in bytes.
    pub bytes: f64,
}

/// Measures everything but latencies.
///
/// # Errors
/// The relay cannot be started, refuses, or does not answer.
pub async fn row(kind: Kind) -> Result<Row, String> {
    let told = |error: io::Error| format!("{}: {error}", kind.name());
    let (allocations, bytes) = allocate(&Server::start(kind).await?).await.map_err(told)?;
    // A new one, since coturn remembers the clients that it had.
    let server = Server::start(kind).await?;
    let pairs = pairs(&server).await.map_err(told)?;
    let (tasks, received) = without_pauses(&pairs);
    sleep(WARM_UP).await;
    let (before, used, began) = (received.load(Ordering::Relaxed), cpu(server.pid()), Instant::now());
    sleep(MEASURED).await;
    let relayed = (received.load(Ordering::Relaxed) - before) as f64;
    let used = cpu(server.pid()).saturating_sub(used).as_secs_f64();
    let elapsed = began.elapsed().as_secs_f64();
    drop(tasks);
    Ok(Row { kind, packets_per_core: relayed / used, packets: relayed / elapsed, allocations, bytes })
}

async fn pairs(server: &Server) -> io::Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for number in 0..PAIRS {
        pairs.push(Pair::relayed(server.address, number).await?);
    }
    Ok(pairs)
}

/// Returns the allocations per second, and the memory of one.
async fn allocate(server: &Server) -> io::Result<(f64, f64)> {
    // What a relay needs for its first clients it does not need for each.
    let _first = Client::allocate(server.address, usize::MAX).await?;
    let before = memory(server.pid()).unwrap_or_default().resident;
    let began = Instant::now();
    let mut clients: Vec<Client> = Vec::new();
    for start in (0..ALLOCATIONS).step_by(AT_A_TIME) {
        let numbers = start..(start + AT_A_TIME).min(ALLOCATIONS);
        let asked = numbers.map(|number| Client::allocate(server.address, number));
        clients.extend(futures::future::try_join_all(asked).await?);
    }
    let elapsed = began.elapsed().as_secs_f64();
    let after = memory(server.pid()).unwrap_or_default().resident;
    let count = ALLOCATIONS as f64;
    Ok((count / elapsed, after.saturating_sub(before) as f64 * 1024.0 / count))
}

/// Measures how long packets take at this rate through a relay.
///
/// # Errors
/// The relay cannot be started, refuses, or does not answer.
pub async fn relayed_latencies(kind: Kind, rate: f64) -> Result<Latencies, String> {
    let server = Server::start(kind).await?;
    let pairs = pairs(&server).await.map_err(|error| format!("{}: {error}", kind.name()))?;
    Ok(latencies(&pairs, rate, MEASURED).await)
}

/// Measures how long packets take at this rate from socket to socket.
///
/// # Errors
/// The system has no sockets.
pub async fn direct_latencies(rate: f64) -> Result<Latencies, String> {
    let mut pairs = Vec::new();
    for _ in 0..PAIRS {
        pairs.push(Pair::direct().await.map_err(|error| error.to_string())?);
    }
    Ok(latencies(&pairs, rate, MEASURED).await)
}
