//! Connections that have not said `hello` yet.
//!
//! A satellite needs seconds for it, so time alone does not bound them. Their number does: beyond it, the oldest gives
//! way to the newcomer. Whoever says `hello` at once is out of the way before that, and silent connections only displace
//! each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use peersync_server::client_address::Network;
use tokio::sync::oneshot;

/// All connections before their `hello`.
#[derive(Debug, Default)]
pub struct Greetings {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    /// In the order of their arrival.
    all: BTreeMap<u64, Entry>,
    networks: HashMap<Network, BTreeSet<u64>>,
}

#[derive(Debug)]
struct Entry {
    /// `None` for this machine itself, which has no limit of its own.
    network: Option<Network>,
    /// Dropped when the connection has to give way.
    _place: oneshot::Sender<()>,
}

/// One connection before its `hello`, counted until it is dropped.
#[derive(Debug)]
pub struct Greeting {
    greetings: Arc<Greetings>,
    number: u64,
    place: oneshot::Receiver<()>,
}

impl Greetings {
    /// Adds a connection. If there are more than `per_network` of its network or `all` in total now, the oldest has to
    /// give way.
    pub fn enter(self: &Arc<Self>, address: IpAddr, per_network: usize, all: usize) -> Greeting {
        let network = (!address.is_loopback()).then(|| Network::of(address));
        let (sender, place) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.all.insert(number, Entry { network, _place: sender });
        if let Some(network) = network {
            let neighbours = waiting.networks.entry(network).or_default();
            neighbours.insert(number);
            let oldest = neighbours.first().copied().filter(|_| neighbours.len() > per_network);
            oldest.into_iter().for_each(|oldest| waiting.remove(oldest));
        }
        let oldest = waiting.all.keys().next().copied().filter(|_| waiting.all.len() > all);
        oldest.into_iter().for_each(|oldest| waiting.remove(oldest));
        drop(waiting);
        Greeting { greetings: Arc::clone(self), number, place }
    }
}

impl Waiting {
    fn remove(&mut self, number: u64) {
        let Some(Entry { network: Some(network), .. }) = self.all.remove(&number) else { return };
        if let Some(neighbours) = self.networks.get_mut(&network) {
            neighbours.remove(&number);
            if neighbours.is_empty() {
                self.networks.remove(&network);
            }
        }
    }
}

impl Greeting {
    /// Waits until the connection has to give way.
    pub async fn displaced(&mut self) {
        // Nothing is ever sent: the sender is dropped.
        let _ = (&mut self.place).await;
    }
}

impl Drop for Greeting {
    fn drop(&mut self) {
        self.greetings.waiting.lock().remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn is_displaced(greeting: &mut Greeting) -> bool {
        greeting.displaced().now_or_never().is_some()
    }

    #[test]
    fn oldest_of_the_same_network_gives_way() {
        let greetings = Arc::new(Greetings::default());
        let enter = |address: &str| greetings.enter(address.parse().unwrap(), 2, 10);
        let mut stranger = enter("192.0.2.1");
        let (mut first, mut second) = (enter("2001:db8:1:2::1"), enter("2001:db8:1:2:ffff::9"));
        let mut third = enter("2001:db8:1:2::3");
        assert!(is_displaced(&mut first));
        drop(second);
        second = enter("2001:db8:1:2::4");
        for greeting in [&mut stranger, &mut second, &mut third] {
            assert!(!is_displaced(greeting));
        }
        drop((stranger, first, second, third));
        let waiting = greetings.waiting.lock();
        assert!(waiting.all.is_empty() && waiting.networks.is_empty(), "{waiting:?}");
    }

    #[test]
    fn oldest_of_all_gives_way() {
        let greetings = Arc::new(Greetings::default());
        let enter = |address: &str| greetings.enter(address.parse().unwrap(), 1, 2);
        let (mut first, mut second) = (enter("192.0.2.1"), enter("192.0.2.2"));
        let mut third = enter("127.0.0.1");
        let mut fourth = enter("127.0.0.1");
        assert!(is_displaced(&mut first) && is_displaced(&mut second));
        assert!(!is_displaced(&mut third) && !is_displaced(&mut fourth));
    }
}
