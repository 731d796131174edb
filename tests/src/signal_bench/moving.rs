//! Measures how clients move from one server to the next, as when a host is replaced: each is told when to come, and comes
//! without a ticket.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::load::connect;
use super::machine::Machine;
use super::options::Options;
use super::ours::keys;
use super::references::References;
use super::relays::{Kind, Relay};

/// The clients that move.
const CLIENTS: usize = 5_000;
/// How long it may take until all are in their rooms again.
const ALL_BACK: Duration = Duration::from_secs(30);
/// What API Gateway passes on by default, `api.requests_per_second` and `api.burst`: the time that tickets for all would take.
const TICKETS_PER_SECOND: f64 = 100.0;
/// See [`TICKETS_PER_SECOND`].
const TICKETS_AT_ONCE: f64 = 1000.0;

/// The move of clients from one server to the next.
#[derive(Clone, Copy, Debug)]
pub struct Moved {
    /// The number of clients.
    pub clients: usize,
    /// How many were in their rooms again at their first attempt.
    pub back: usize,
    /// From the signal to the old server until the last client was in its room again.
    pub took: Duration,
    /// The longest time that a client had no connection.
    pub away: Duration,
}

/// Lets clients move.
///
/// # Errors
/// If a server cannot be started.
pub async fn measure(options: &Options, machine: &Machine, references: &References) -> Result<Moved, String> {
    let (mut old, new) = (Relay::start(Kind::Ours, references)?, Relay::start(Kind::Ours, references)?);
    // A client has two connections for a moment.
    let count = CLIENTS.min(options.connections).min(machine.connections() / 2) & !1;
    let (clients, _) = connect(&old, 0..count, &keys()).await?;
    let (begin, port) = (Instant::now(), new.port);
    let moving: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(number, client)| {
            tokio::spawn(async move {
                let (client, wait) = client.until_drained().await?;
                let left = Instant::now();
                sleep(wait).await;
                client.move_to(port, number).await?;
                Ok::<_, String>(left.elapsed())
            })
        })
        .collect();
    let ending = tokio::task::spawn_blocking(move || old.terminate());
    let (mut back, mut away) = (0, Duration::ZERO);
    for moved in moving {
        if let Ok(Ok(time)) = moved.await {
            (back, away) = (back + 1, away.max(time));
        }
    }
    let took = begin.elapsed();
    ending.await.map_err(|error| error.to_string())?;
    Ok(Moved { clients: count, back, took, away })
}

impl Moved {
    /// Returns whether all were back in time, and nobody was refused.
    pub fn reached(&self) -> bool {
        self.back == self.clients && self.took <= ALL_BACK
    }

    /// For the reader.
    pub fn line(&self) -> String {
        let Self { clients, back, took, away } = self;
        let tickets = (*clients as f64 - TICKETS_AT_ONCE).max(0.0) / TICKETS_PER_SECOND;
        format!(
            "{} move of {clients} clients to the next server: {back} in their rooms again after {:.1} s, away for {:.1} s at most, \
             without a ticket; the API's limits would hand out that many tickets in {tickets:.0} s, {:.1} times as long",
            if self.reached() { "reached" } else { "MISSED " },
            took.as_secs_f64(),
            away.as_secs_f64(),
            tickets / took.as_secs_f64().max(0.001),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_and_late_clients_are_reported() {
        let moved = |back, seconds| Moved {
            clients: 5000,
            back,
            took: Duration::from_secs(seconds),
            away: Duration::from_secs(9),
        };
        assert!(moved(5000, 10).reached() && moved(5000, 10).line().contains("in 40 s, 4.0 times as long"));
        assert!(moved(4999, 10).line().starts_with("MISSED  move of 5000 clients"));
        assert!(!moved(5000, 31).reached());
    }
}
