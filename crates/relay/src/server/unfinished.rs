//! The memory for messages of TLS of which a part is missing.
//!
//! What clients really send is small, and complete a moment later. But rustls keeps up to 64 KB of a message of the handshake,
//! and 18 KB of a record, however slowly the rest comes. So each connection has [`FREE`] for itself, and what goes beyond that
//! comes out of one budget. If it is used up, the oldest part gives way of the site that takes most: who has sent little
//! loses nothing, and of those behind one address the one who waits longest does.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use peersync_server::client_address::Network;
use tokio::sync::oneshot;

/// The memory that each connection has for itself, in bytes: rustls has a buffer of this size for up to 4 KB.
const FREE: usize = 8192;
/// How much rustls wants to read at once, in bytes (`READ_SIZE` in its `msgs/deframer/buffers.rs`).
const READ: usize = 4096;

/// Returns how large a buffer rustls has for this many bytes, beyond what is free. The buffer doubles when it grows.
fn beyond(bytes: usize) -> usize {
    (bytes + READ).next_power_of_two().saturating_sub(FREE)
}

/// The parts of all connections.
#[derive(Debug)]
pub(super) struct Unfinished {
    /// The budget, in bytes.
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    bytes: usize,
    sites: HashMap<Network, Site>,
}

/// The parts of one site: an IPv4 address, or an IPv6 network of 48 bits.
#[derive(Debug, Default)]
struct Site {
    bytes: usize,
    /// In the order of their beginning.
    parts: BTreeMap<u64, Held>,
}

#[derive(Debug)]
struct Held {
    bytes: usize,
    /// Dropped when it has to give way.
    _place: oneshot::Sender<()>,
}

/// The part of one connection.
#[derive(Debug)]
pub(super) struct Part {
    all: Arc<Unfinished>,
    site: Network,
    /// Its number and bytes beyond what is free, and what tells that it has to give way.
    held: Option<(u64, usize, oneshot::Receiver<()>)>,
}

impl Unfinished {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, state: Mutex::default() })
    }

    /// Returns an empty part of a connection from this site.
    pub(super) fn of(self: &Arc<Self>, site: Network) -> Part {
        Part { all: Arc::clone(self), site, held: None }
    }
}

impl State {
    fn add(&mut self, site: Network, number: u64, held: Held) {
        self.bytes += held.bytes;
        let site = self.sites.entry(site).or_default();
        site.bytes += held.bytes;
        site.parts.insert(number, held);
    }

    fn remove(&mut self, network: Network, number: u64) {
        let Some(site) = self.sites.get_mut(&network) else { return };
        let Some(held) = site.parts.remove(&number) else { return };
        site.bytes -= held.bytes;
        self.bytes -= held.bytes;
        if site.parts.is_empty() {
            self.sites.remove(&network);
        }
    }

    /// Lets the oldest part give way of the site that takes most.
    fn give_way(&mut self) {
        let largest = self.sites.iter().max_by_key(|(_, site)| site.bytes);
        let oldest = largest.and_then(|(network, site)| Some((*network, *site.parts.first_key_value()?.0)));
        oldest.into_iter().for_each(|(network, number)| self.remove(network, number));
    }
}

impl Part {
    /// Records how many bytes it has now.
    pub(super) fn hold(&mut self, bytes: usize) {
        let bytes = beyond(bytes);
        if bytes == self.held.as_ref().map_or(0, |held| held.1) {
            return;
        }
        let mut state = self.all.state.lock();
        let before = self.held.take().map(|(number, ..)| number);
        before.into_iter().for_each(|number| state.remove(self.site, number));
        if bytes == 0 {
            return;
        }
        let number = before.unwrap_or(state.next);
        state.next = state.next.max(number + 1);
        let (sender, place) = oneshot::channel();
        state.add(self.site, number, Held { bytes, _place: sender });
        while state.bytes > self.all.most {
            state.give_way();
        }
        drop(state);
        self.held = Some((number, bytes, place));
    }

    /// Is ready once it has to give way.
    pub(super) fn poll_displaced(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.held {
            // Nothing is ever sent: the sender is dropped.
            Some((.., place)) => Pin::new(place).poll(context).map(drop),
            None => Poll::Pending,
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some((number, ..)) = self.held.take() {
            self.all.state.lock().remove(self.site, number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn is_displaced(part: &mut Part) -> bool {
        part.poll_displaced(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn part(all: &Arc<Unfinished>, address: [u8; 4], bytes: usize) -> Part {
        let mut part = all.of(Network::of(address.into()));
        part.hold(bytes);
        part
    }

    #[test]
    fn what_clients_really_send_takes_nothing_of_the_budget() {
        let all = Unfinished::new(0);
        let mut parts: Vec<_> = (0..100).map(|_| part(&all, [192, 0, 2, 1], 4096)).collect();
        assert!(!parts.iter_mut().any(is_displaced));
        assert!(is_displaced(&mut part(&all, [192, 0, 2, 1], 4097)));
    }

    #[test]
    fn oldest_part_of_the_site_that_takes_most_gives_way() {
        // Six parts of up to 12 KB.
        let all = Unfinished::new(6 * 8192);
        let mut others = part(&all, [192, 0, 2, 1], 8000);
        let mut most: Vec<_> = (0..5).map(|_| part(&all, [192, 0, 2, 2], 8000)).collect();
        let mut late = part(&all, [192, 0, 2, 3], 8000);
        assert!(is_displaced(&mut most[0]) && !is_displaced(&mut late));
        let mut neighbour = part(&all, [192, 0, 2, 2], 8000);
        assert!(is_displaced(&mut most[1]) && !is_displaced(&mut neighbour));
        neighbour.hold(16_000);
        assert!(is_displaced(&mut most[2]) && is_displaced(&mut most[3]) && !is_displaced(&mut most[4]));
        assert!(!is_displaced(&mut others));
        drop((others, late, neighbour, most));
        let state = all.state.lock();
        assert!(state.bytes == 0 && state.sites.is_empty(), "{state:?}");
    }

    #[test]
    fn part_that_becomes_complete_takes_nothing_more() {
        let all = Unfinished::new(8192);
        let mut first = part(&all, [192, 0, 2, 1], 8000);
        first.hold(0);
        let mut second = part(&all, [192, 0, 2, 2], 8000);
        assert!(!is_displaced(&mut first) && !is_displaced(&mut second));
        assert_eq!(all.state.lock().bytes, 8192);
    }
}
