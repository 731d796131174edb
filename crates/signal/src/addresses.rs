//! What each network uses of the server: connections, sessions, and bytes that wait for others.
//!
//! Everything is counted for the client's own network and for each one that encloses it, because whoever owns an IPv6
//! network of 48 bits could otherwise be 65,536 clients.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use peersync_server::client_address::{Network, share};

/// The number of accounts at which unused ones are removed for the first time.
const FIRST_SWEEP: usize = 1024;

/// The accounts of all networks.
#[derive(Debug, Default)]
pub struct Addresses {
    accounts: Mutex<Accounts>,
}

#[derive(Debug, Default)]
struct Accounts {
    by_network: HashMap<Network, Arc<Account>>,
    /// The number of accounts at which unused ones are removed.
    sweep_at: usize,
}

/// What one network uses.
#[derive(Debug)]
pub struct Account {
    /// The network.
    pub network: Network,
    /// Whether it is this machine itself, whose shares are not limited: everybody behind a proxy without addresses.
    unlimited: bool,
    /// The account of the next wider network.
    wider: Option<Arc<Account>>,
    connections: AtomicUsize,
    sessions: AtomicUsize,
    /// Bytes that its clients have sent to others, and whose arrival is not confirmed.
    queued: AtomicUsize,
}

/// One of the connections that a network may have, released on drop.
#[derive(Debug)]
pub struct ConnectionSlot(Arc<Account>);

/// One of the sessions of a network, counted until it is dropped.
#[derive(Debug)]
pub struct CountedSession(pub Arc<Account>);

impl Addresses {
    /// Takes a slot for a new connection, or returns `None` if the network or one around it has its share of `limit`
    /// connections already.
    pub fn enter(&self, address: IpAddr, limit: usize) -> Option<ConnectionSlot> {
        let account = self.account(address);
        // Two that enter at the same time may exceed a share by one.
        if !account.all().all(|account| account.has_share(&account.connections, 1, limit)) {
            return None;
        }
        account.all().for_each(|account| _ = account.connections.fetch_add(1, Ordering::Relaxed));
        Some(ConnectionSlot(account))
    }

    /// Returns the account of the network of an address.
    pub fn account(&self, address: IpAddr) -> Arc<Account> {
        let mut accounts = self.accounts.lock();
        accounts.sweep();
        let networks: Vec<_> = Network::of_one_customer(address).collect();
        let widest_first = networks.into_iter().rev();
        let unlimited = address.to_canonical().is_loopback();
        let account = widest_first.fold(None, |wider, network| {
            let account = || Arc::new(Account::new(network, unlimited, wider));
            Some(Arc::clone(accounts.by_network.entry(network).or_insert_with(account)))
        });
        account.unwrap_or_else(|| Arc::new(Account::new(Network::of(address), unlimited, None)))
    }
}

impl Accounts {
    /// Removes accounts that nobody uses, once their number has doubled.
    fn sweep(&mut self) {
        if self.by_network.len() < self.sweep_at.max(FIRST_SWEEP) {
            return;
        }
        // An account is used by the narrower ones too, so three passes reach the widest.
        for _ in 0..3 {
            self.by_network.retain(|_, account| Arc::strong_count(account) > 1);
        }
        self.sweep_at = 2 * self.by_network.len();
    }
}

impl Account {
    fn new(network: Network, unlimited: bool, wider: Option<Arc<Account>>) -> Self {
        let (connections, sessions, queued) = Default::default();
        Self { network, unlimited, wider, connections, sessions, queued }
    }

    /// Returns this account and those of the networks around it.
    fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |account| account.wider.as_deref())
    }

    /// Returns the account of the widest network.
    pub fn widest(&self) -> &Self {
        self.all().last().unwrap_or(self)
    }

    /// Returns its share of `limit`: all of it for an IPv4 address or an IPv6 network of 48 bits, three quarters for one
    /// of 56 bits and a half for one of 64.
    fn share(&self, limit: usize) -> usize {
        share(self.all().count(), limit)
    }

    fn has_share(&self, used: &AtomicUsize, more: usize, limit: usize) -> bool {
        self.unlimited || used.load(Ordering::Relaxed) + more <= self.share(limit)
    }

    /// Returns whether `bytes` more may wait for others, if the widest network may have `limit` in all.
    pub fn may_queue(&self, bytes: usize, limit: usize) -> bool {
        self.all().all(|account| account.has_share(&account.queued, bytes, limit))
    }

    /// Adds bytes that wait for others.
    pub fn queue(&self, bytes: usize) {
        self.all().for_each(|account| _ = account.queued.fetch_add(bytes, Ordering::Relaxed));
    }

    /// Removes bytes that wait no longer.
    pub fn release(&self, bytes: usize) {
        self.all().for_each(|account| _ = account.queued.fetch_sub(bytes, Ordering::Relaxed));
    }

    /// Returns the number of sessions in the widest network: how much whoever owns it has of the server.
    pub fn weight(&self) -> usize {
        self.widest().sessions.load(Ordering::Relaxed)
    }
}

impl ConnectionSlot {
    /// Returns the account of its network.
    pub fn account(&self) -> &Arc<Account> {
        &self.0
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.0.all().for_each(|account| _ = account.connections.fetch_sub(1, Ordering::Relaxed));
    }
}

impl CountedSession {
    /// Counts a session of this network.
    pub fn new(account: &Arc<Account>) -> Self {
        account.all().for_each(|account| _ = account.sessions.fetch_add(1, Ordering::Relaxed));
        Self(Arc::clone(account))
    }
}

impl Drop for CountedSession {
    fn drop(&mut self) {
        self.0.all().for_each(|account| _ = account.sessions.fetch_sub(1, Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wider_networks_bound_narrower_ones() {
        let addresses = Addresses::default();
        let enter = |address: String| addresses.enter(address.parse().unwrap(), 8);
        // Half of it for a network of 64 bits, three quarters for one of 56 bits, and all for one of 48 bits.
        let mut slots: Vec<_> = (0..5).filter_map(|host| enter(format!("2001:db8:1:1::{host}"))).collect();
        assert_eq!(slots.len(), 4);
        slots.extend((2..9).filter_map(|network| enter(format!("2001:db8:1:{network}::1"))));
        assert_eq!(slots.len(), 6);
        slots.extend((1..9).filter_map(|network| enter(format!("2001:db8:1:{network}00::1"))));
        assert_eq!(slots.len(), 8);
        assert!(enter("2001:db8:2::1".to_owned()).is_some(), "a neighbour loses nothing");
        assert_eq!((0..9).filter_map(|_| enter("192.0.2.1".to_owned()).map(|slot| slots.push(slot))).count(), 8);
        slots.remove(0);
        assert!(enter("2001:db8:1:1::9".to_owned()).is_some());
    }

    #[test]
    fn loopback_is_not_limited() {
        let addresses = Addresses::default();
        let slots: Vec<_> = (0..100).filter_map(|_| addresses.enter("127.0.0.1".parse().unwrap(), 0)).collect();
        assert_eq!(slots.len(), 100);
    }

    #[test]
    fn unused_accounts_are_removed() {
        let addresses = Addresses::default();
        let address = |number: u32| IpAddr::from((0x2001_0db8_u128 << 96 | u128::from(number) << 80).to_be_bytes());
        let held = addresses.enter(address(0), 1);
        for number in 1..10_000 {
            drop(addresses.enter(address(number), 2));
        }
        assert!(addresses.accounts.lock().by_network.len() <= FIRST_SWEEP + 3);
        assert!(addresses.enter(address(0), 1).is_none(), "a used one stays");
        drop(held);
    }
}
