//! How many connections each client address has.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use peersync_server::client_address::Network;

/// Connections by address.
#[derive(Debug, Default)]
pub struct Addresses {
    counts: Mutex<HashMap<Network, usize>>,
}

/// One of the connections that an address may have, released on drop.
#[derive(Debug)]
pub struct ConnectionSlot {
    addresses: Arc<Addresses>,
    /// `None` for this machine itself, which is not counted.
    network: Option<Network>,
}

impl Addresses {
    /// Takes a slot for a new connection, or returns `None` if the address has `all` connections already.
    pub fn enter(self: &Arc<Self>, address: IpAddr, all: usize) -> Option<ConnectionSlot> {
        let addresses = Arc::clone(self);
        if address.is_loopback() {
            return Some(ConnectionSlot { addresses, network: None });
        }
        let network = Network::of(address);
        let mut counts = self.counts.lock();
        let count = counts.entry(network).or_default();
        if *count >= all {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(ConnectionSlot { addresses, network: Some(network) })
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        if let Entry::Occupied(mut entry) = self.addresses.counts.lock().entry(network) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_neighbours_share_their_slots() {
        let addresses = Arc::new(Addresses::default());
        let enter = |address: &str| addresses.enter(address.parse().unwrap(), 2);
        let (first, second) = (enter("2001:db8:1:2::1").unwrap(), enter("2001:db8:1:2:ffff::9").unwrap());
        assert!(enter("2001:db8:1:2::3").is_none());
        assert!(enter("2001:db8:1:3::1").is_some());
        drop(first);
        assert!(enter("2001:db8:1:2::3").is_some());
        drop(second);
        assert!(addresses.counts.lock().is_empty());
    }

    #[test]
    fn loopback_is_not_counted() {
        let addresses = Arc::new(Addresses::default());
        assert!((0..100).all(|_| addresses.enter("127.0.0.1".parse().unwrap(), 0).is_some()));
    }
}
