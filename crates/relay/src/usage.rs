//! The traffic of a month: counted in DynamoDB, so that neither a restart nor a new host forgets it.

use std::sync::Arc;

use peersync_server::clock::Clock;
use peersync_server::metrics::{Measured, Metric, as_number};
use peersync_server::store::{Store, StoreError};
use tracing::{info, warn};

use crate::counters::Counters;
use crate::relay::Authority;
use crate::server::Running;

/// The bytes of a packet's headers of UDP and IPv4, which AWS counts too.
const HEADERS: u64 = 28;

/// Counts the traffic of a relay, and stops new calls when the month's is used up.
#[derive(Debug)]
pub struct Usage {
    store: Arc<Store>,
    clock: Clock,
    /// The bytes that may be relayed in a month.
    budget: u64,
    /// What was counted when it was reported last.
    reported: Counters,
    /// The bytes that were relayed and are not stored yet.
    unstored: u64,
}

impl Usage {
    /// Returns the usage of a relay that has just started. `budget` is in bytes for a month.
    pub fn new(store: Arc<Store>, clock: Clock, budget: u64) -> Self {
        Self { store, clock, budget, reported: Counters::default(), unstored: 0 }
    }

    /// Stores what was relayed since the last call, tells the relay whether the budget is spent, logs what happened, and
    /// returns what the owner of the stack counts of it. To be called every minute, first at the start. If the database does
    /// not answer, the relay goes on as before, and the next call stores both.
    pub async fn report<A: Authority>(&mut self, relay: &Running<A>) -> Vec<Measured> {
        let counters = relay.counters();
        let since = Since::between(&self.reported, &counters);
        self.reported = counters;
        self.unstored = self.unstored.saturating_add(since.bytes);
        let mut measured = vec![(Metric::RelayedBytes, vec![as_number(since.bytes)])];
        match self.store_bytes().await {
            Ok(total) => {
                relay.set_budget_spent(total >= self.budget);
                if total > 0 {
                    measured.push((Metric::RelayBudgetUsed, vec![percent(total, self.budget)]));
                }
            }
            Err(error) => {
                warn!(target: "relay", %error, "the traffic could not be stored; the next attempt is in a minute")
            }
        }
        info!(
            target: "relay",
            allocations = counters.allocations,
            relayed_bytes = since.bytes,
            refused = since.refused,
            dropped_packets = since.dropped,
            budget_spent = u8::from(relay.budget_spent()),
            "usage"
        );
        measured
    }

    /// Adds what is not stored yet, and returns the month's total.
    async fn store_bytes(&mut self) -> Result<u64, StoreError> {
        let total = self.store.add_relayed(self.unstored, self.clock.now()).await?;
        self.unstored = 0;
        Ok(total)
    }
}

/// Returns how much of the budget is used.
fn percent(total: u64, budget: u64) -> f64 {
    if budget == 0 { 100.0 } else { as_number(total) / as_number(budget) * 100.0 }
}

/// What happened between two reports.
#[derive(Debug, PartialEq, Eq)]
struct Since {
    bytes: u64,
    refused: u64,
    dropped: u64,
}

impl Since {
    fn between(before: &Counters, now: &Counters) -> Self {
        let packets = now.relayed_packets.saturating_sub(before.relayed_packets);
        let bytes = now.relayed_bytes.saturating_sub(before.relayed_bytes);
        Self {
            bytes: bytes.saturating_add(packets.saturating_mul(HEADERS)),
            refused: now.refused.total().saturating_sub(before.refused.total()),
            dropped: now.dropped_packets.saturating_sub(before.dropped_packets),
        }
    }
}
