//! Measures one relay after the other: memory of idle connections, throughput, latency, and the shutdown of our server.

use std::time::{Duration, Instant};

use peersync_server::tickets::TicketKeys;
use tokio::time::sleep;

use super::client::Client;
use super::load::{ACTIVE, Connects, Latency, Throughput, connect, race, steady};
use super::machine::Machine;
use super::options::{Options, Part};
use super::ours::keys;
use super::process::{Memory, cpu, everybody, memory};
use super::references::References;
use super::relays::{Kind, Relay};
use super::resting::Resting;

/// Idle clients at the first measurement; at the second it is the requested number.
const FIRST: usize = 10_000;
/// Idle clients of references that take long to connect.
const FEW: usize = 5_000;
/// The time from the last idle client until memory is read: each has answered one ping by then.
const SETTLE: Duration = Duration::from_secs(12);
/// The share of processor time that other processes may use while a relay is measured.
pub const DISTURBED: f64 = 0.05;
/// The maximum number of measurements of a relay under load, if other processes disturb them.
const ATTEMPTS: usize = 3;
/// From the numbers of the clients of one attempt to those of the next.
const NUMBERS_PER_ATTEMPT: usize = 100_000;
/// The time until a relay has noticed that connections are closed.
const GONE: Duration = Duration::from_secs(2);

/// The measurements of one relay.
#[derive(Debug)]
pub struct Row {
    /// The relay.
    pub kind: Kind,
    /// Memory at each number of idle connections.
    pub idle: Vec<Idle>,
    /// How fast it accepts connections.
    pub connects: Option<Connects>,
    /// How fast it relays.
    pub throughput: Option<Throughput>,
    /// How quickly it relays at half of that.
    pub latency: Option<Latency>,
    /// The share of processor time that other processes used under load. It should be 0.
    pub disturbed: f64,
}

/// Memory of idle connections.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// The number of idle connections.
    pub connections: usize,
    /// Resident bytes per connection, without what the process used before.
    pub bytes: f64,
}

/// The shutdown of our server.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// The number of connected clients.
    pub clients: usize,
    /// The number of clients that were notified before their connections were closed.
    pub notified: usize,
    /// The time from the signal until the process ended.
    pub took: Duration,
    /// The memory before the shutdown.
    pub before: Memory,
    /// The peak of resident memory, in KiB.
    pub highest: u64,
}

/// Measures one relay.
///
/// # Errors
/// If the relay cannot be started, or lost connections.
pub async fn measure(kind: Kind, options: &Options, machine: &Machine, references: &References) -> Result<Row, String> {
    let keys = keys();
    let relay = Relay::start(kind, references)?;
    let (mut clients, _) = connect(&relay, 0..ACTIVE, &keys).await?;
    let mut row = Row { kind, idle: Vec::new(), connects: None, throughput: None, latency: None, disturbed: 0.0 };
    if options.has(Part::Idle) {
        let resting = Resting::new(clients);
        idle(&mut row, &relay, options.connections.min(machine.connections()), &keys).await?;
        clients = resting.wake().await?;
    }
    if options.has(Part::Relay) {
        under_load(&mut row, &relay, clients, options.time, machine).await?;
        for attempt in 1..ATTEMPTS {
            if row.disturbed > DISTURBED {
                eprintln!("… once more, because other processes were busy");
                // As others, because those before may still be remembered.
                let first = attempt * NUMBERS_PER_ATTEMPT;
                let (clients, _) = connect(&relay, first..first + ACTIVE, &keys).await?;
                under_load(&mut row, &relay, clients, options.time, machine).await?;
            }
        }
    }
    Ok(row)
}

async fn under_load(
    row: &mut Row,
    relay: &Relay,
    clients: Vec<Client>,
    time: Duration,
    machine: &Machine,
) -> Result<(), String> {
    let (begin, before) = (Instant::now(), others(relay));
    let (throughput, raced) = race(relay, clients, time).await;
    if raced.len() != ACTIVE {
        return Err(format!("{} of {ACTIVE} connections were lost under load", ACTIVE - raced.len()));
    }
    row.throughput = Some(throughput);
    row.latency = Some(steady(raced, throughput.per_second / 2.0, time).await);
    let had = others(relay).saturating_sub(before).as_secs_f64();
    row.disturbed = had / begin.elapsed().as_secs_f64() / machine.cores as f64;
    Ok(())
}

async fn idle(row: &mut Row, relay: &Relay, connections: usize, keys: &TicketKeys) -> Result<(), String> {
    let empty = resident(relay)?;
    let steps = match row.kind {
        Kind::Ours | Kind::Bare => vec![FIRST.min(connections), connections],
        Kind::FastApi | Kind::PeerServer | Kind::Matchbox => vec![FEW.min(connections)],
    };
    let (mut resting, mut count) = (Vec::new(), 0);
    for step in steps.into_iter().filter(|step| *step > 0) {
        if step > count {
            let (clients, connects) = connect(relay, ACTIVE + count..ACTIVE + step, keys).await?;
            row.connects.get_or_insert(connects);
            resting.push(Resting::new(clients));
            count = step;
            sleep(SETTLE).await;
            let bytes = resident(relay)?.saturating_sub(empty) as f64 * 1024.0 / count as f64;
            row.idle.push(Idle { connections: count, bytes });
        }
    }
    for resting in resting {
        drop(resting.wake().await?);
    }
    sleep(GONE).await;
    Ok(())
}

/// Returns the processor time of all other processes.
fn others(relay: &Relay) -> Duration {
    everybody().saturating_sub(cpu(relay.pid()) + cpu(std::process::id()))
}

fn resident(relay: &Relay) -> Result<u64, String> {
    memory(relay.pid()).map(|memory| memory.resident).ok_or_else(|| "it is gone".to_owned())
}

/// Measures how our server closes its idle connections at shutdown.
///
/// # Errors
/// If the server cannot be started.
pub async fn drain(options: &Options, machine: &Machine, references: &References) -> Result<Drain, String> {
    let mut relay = Relay::start(Kind::Ours, references)?;
    let pid = relay.pid();
    let (clients, _) = connect(&relay, 0..FIRST.min(options.connections).min(machine.connections()), &keys()).await?;
    let before = memory(pid).ok_or("it is gone")?;
    let watching: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            tokio::spawn(async move {
                let mut notified = false;
                while let Ok(text) = client.receive().await {
                    notified |= text.contains("\"draining\"");
                }
                notified
            })
        })
        .collect();
    // It ends with the process.
    let peak = tokio::spawn(async move {
        let mut highest = 0;
        while let Some(memory) = memory(pid) {
            highest = memory.highest.max(highest);
            sleep(Duration::from_millis(50)).await;
        }
        highest
    });
    let took = tokio::task::spawn_blocking(move || relay.terminate()).await.map_err(|error| error.to_string())?;
    let (clients, mut notified) = (watching.len(), 0);
    for watched in watching {
        notified += usize::from(watched.await.unwrap_or(false));
    }
    let highest = peak.await.unwrap_or(before.highest);
    Ok(Drain { clients, notified, took, before, highest })
}
