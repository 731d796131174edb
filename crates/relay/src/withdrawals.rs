//! Follows what is withdrawn from accounts: reads it every two seconds while somebody is relayed, and ends what rests on it.

use std::sync::Arc;
use std::time::Duration;

use peersync_server::clock::{Clock, Moment};
use peersync_server::store::Store;
use peersync_server::turn_credentials::TURN_SECONDS;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::authority::StackAuthority;
use crate::server::Running;

/// The interval at which the relay reads while somebody is relayed. What is withdrawn must end within 5 s. Each read costs
/// two or three units of DynamoDB: 3 million a month if a call is always relayed, 0.40 USD on demand in us-east-1.
const INTERVAL: Duration = Duration::from_secs(2);
/// The interval while nobody is. Whoever comes with credentials that were withdrawn in the meantime loses the
/// allocation after [`INTERVAL`].
const IDLE: Duration = Duration::from_secs(30);
/// What is read again in seconds: the change follows within the timeout of a function, 10 s; the rest is for clocks that
/// differ.
const AGAIN_SECONDS: i64 = 20;

/// What a relay knows of what was withdrawn.
#[derive(Debug)]
pub struct Withdrawals {
    store: Arc<Store>,
    clock: Clock,
    authority: Arc<StackAuthority>,
    /// Until when it was read.
    read: Option<Moment>,
}

impl Withdrawals {
    /// Returns what a relay knows that has just started: nothing.
    pub fn new(store: Arc<Store>, clock: Clock, authority: Arc<StackAuthority>) -> Self {
        Self { store, clock, authority, read: None }
    }

    /// Follows them as long as the relay serves.
    pub async fn follow(mut self, relay: &Running<Arc<StackAuthority>>) {
        let mut timer = interval(INTERVAL);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            timer.tick().await;
            let idle = relay.counters().allocations == 0;
            if self.read.is_none_or(|read| !idle || read.until(&self.clock.moment()) >= IDLE) {
                self.catch_up(relay).await;
            }
        }
    }

    /// Handles everything since the last time; at first, and after the clock was set, what concerns credentials that are still
    /// valid. Without an answer of the database the relay goes on as before, and the next time does.
    async fn catch_up(&mut self, relay: &Running<Arc<StackAuthority>>) {
        let moment = self.clock.moment();
        let now = moment.clock;
        let read = self.read.filter(|read| !read.clock_was_set_until(&moment));
        let since = read.map_or(now - TURN_SECONDS, |read| read.clock - AGAIN_SECONDS);
        match self.store.withdrawn(since, now).await {
            Ok(accounts) => {
                self.read = Some(moment);
                if self.authority.withdraw(&accounts) {
                    relay.end_withdrawn();
                }
            }
            Err(error) => {
                warn!(target: "relay", %error, "what was withdrawn could not be read; the next attempt follows")
            }
        }
    }
}
