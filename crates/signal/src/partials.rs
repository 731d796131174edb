//! Frames and messages of which a part is missing: how much memory they take, and for how long already.
//!
//! They are the sender's to complete, so the sender pays: after a deadline, or once all of them together exceed their
//! bound, the connection is closed that takes most of the network that takes most.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use peersync_server::client_address::Network;

use crate::limits::Limits;
use crate::outbox::EndRequest;
use crate::session::Session;

/// The incomplete messages of all connections.
#[derive(Debug)]
pub struct Partials {
    state: Mutex<State>,
    deadline: Duration,
    bound: usize,
}

#[derive(Debug, Default)]
struct State {
    /// By the number of the connection.
    held: HashMap<u64, Held>,
    networks: HashMap<Network, usize>,
    bytes: usize,
}

#[derive(Debug)]
struct Held {
    network: Network,
    bytes: usize,
    since: Duration,
    session: Weak<Session>,
}

/// The incomplete message of one connection, given back on drop.
#[derive(Debug)]
pub struct Partial {
    partials: Arc<Partials>,
    number: u64,
    network: Network,
    bytes: usize,
}

impl Partials {
    /// Returns an empty record.
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), deadline: limits.partial, bound: limits.partial_bytes })
    }

    /// Returns the record of connection `number`, whose client's widest network this is.
    pub fn of(self: &Arc<Self>, number: u64, network: Network) -> Partial {
        Partial { partials: Arc::clone(self), number, network, bytes: 0 }
    }

    /// Returns the bytes that all incomplete messages take.
    pub fn used(&self) -> usize {
        self.state.lock().bytes
    }

    /// Ends the connections whose message has been incomplete for too long.
    pub fn expire(&self, now: Duration) {
        let mut state = self.state.lock();
        let late = |held: &Held| now >= held.since + self.deadline;
        let numbers: Vec<_> = state.held.iter().filter(|(_, held)| late(held)).map(|(number, _)| *number).collect();
        numbers.into_iter().for_each(|number| state.end(number));
    }
}

impl State {
    fn end(&mut self, number: u64) {
        if let Some(session) = self.remove(number).and_then(|held| held.session.upgrade()) {
            session.outbox.end(EndRequest::Unfinished);
        }
    }

    fn remove(&mut self, number: u64) -> Option<Held> {
        let held = self.held.remove(&number)?;
        self.bytes -= held.bytes;
        if let Entry::Occupied(mut network) = self.networks.entry(held.network) {
            *network.get_mut() -= held.bytes;
            if *network.get() == 0 {
                network.remove();
            }
        }
        Some(held)
    }

    /// Returns the connection that takes most of the network that takes most.
    fn heaviest(&self) -> Option<u64> {
        let (network, _) = self.networks.iter().max_by_key(|(_, bytes)| **bytes)?;
        let of_network = self.held.iter().filter(|(_, held)| held.network == *network);
        of_network.max_by_key(|(_, held)| held.bytes).map(|(number, _)| *number)
    }
}

impl Partial {
    /// Records that this many bytes are held now. `begun` is true if a message was completed since the last call, so that
    /// what is held belongs to another one.
    pub fn hold(&mut self, session: &Arc<Session>, bytes: usize, begun: bool, now: Duration) {
        if bytes == self.bytes && (bytes == 0 || !begun) {
            return;
        }
        self.bytes = bytes;
        let mut state = self.partials.state.lock();
        let before = state.remove(self.number);
        if bytes == 0 {
            return;
        }
        let since = before.filter(|_| !begun).map_or(now, |held| held.since);
        state.bytes += bytes;
        *state.networks.entry(self.network).or_default() += bytes;
        state.held.insert(self.number, Held { network: self.network, bytes, since, session: Arc::downgrade(session) });
        while state.bytes > self.partials.bound
            && let Some(number) = state.heaviest()
        {
            state.end(number);
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.partials.state.lock().remove(self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Context;

    use futures::task::noop_waker;

    use super::*;
    use crate::bounds::Bounds;
    use crate::session::Identity;

    fn session(number: u64) -> Arc<Session> {
        let who = Identity::guest("Ada");
        Session::new(who, Bounds::new(&Limits::default()), number, Duration::ZERO)
    }

    fn is_ended(session: &Session, number: u64) -> bool {
        session.outbox.poll_end(&mut Context::from_waker(&noop_waker()), number).is_ready()
    }

    fn network(host: u8) -> Network {
        Network::of([192, 0, 2, host].into())
    }

    #[test]
    fn message_that_is_never_completed_ends_its_connection() {
        let limits = Limits::default();
        let (partials, ada) = (Partials::new(&limits), session(1));
        let mut partial = partials.of(1, network(1));
        let seconds = Duration::from_secs;
        partial.hold(&ada, 1000, false, seconds(0));
        partial.hold(&ada, 2000, false, seconds(15));
        partials.expire(seconds(19));
        assert!(!is_ended(&ada, 1));
        partial.hold(&ada, 1500, true, seconds(19));
        partials.expire(seconds(38));
        assert!(!is_ended(&ada, 1), "another message began");
        partials.expire(seconds(39));
        assert!(is_ended(&ada, 1));
        assert_eq!(partials.used(), 0);
    }

    #[test]
    fn largest_of_the_heaviest_network_goes_first() {
        let limits = Limits { partial_bytes: 10_000, ..Limits::default() };
        let partials = Partials::new(&limits);
        let sessions: Vec<_> = (0..4).map(session).collect();
        let mut held: Vec<_> =
            [1, 1, 1, 2].into_iter().zip(0..).map(|(host, n)| partials.of(n, network(host))).collect();
        for (at, bytes) in [(0, 2000), (1, 2500), (2, 2000), (3, 3400)] {
            held[at].hold(&sessions[at], bytes, false, Duration::ZERO);
        }
        assert!(sessions.iter().zip(0..).all(|(session, number)| !is_ended(session, number)));
        held[3].hold(&sessions[3], 3600, false, Duration::ZERO);
        let ended: Vec<_> = sessions.iter().zip(0..).map(|(session, number)| is_ended(session, number)).collect();
        assert_eq!(ended, [false, true, false, false], "the victim with the largest message loses nothing");
        assert_eq!(partials.used(), 7600);
        drop(held);
        assert_eq!(partials.used(), 0);
        assert!(partials.state.lock().networks.is_empty());
    }
}
