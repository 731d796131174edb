//! Whose connection it is: the client's address, and how many connections each address has.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::http::HeaderMap;

use super::lock;

/// Proof that a request came through the edge.
pub const ORIGIN_KEY: &str = "x-peersync-origin-key";

/// The client's address. What headers say is believed only of an edge that has proved itself.
pub fn client_address(headers: &HeaderMap, peer: SocketAddr, from_edge: bool) -> IpAddr {
    let stated = if from_edge { viewer(headers).or_else(|| forwarded(headers)) } else { None };
    stated.unwrap_or(peer.ip()).to_canonical()
}

/// CloudFront's own header: address and port with a colon between them, also where the address is IPv6.
fn viewer(headers: &HeaderMap) -> Option<IpAddr> {
    let value = headers.get("cloudfront-viewer-address")?.to_str().ok()?;
    let (address, _) = value.rsplit_once(':')?;
    address.trim_matches(['[', ']']).parse().ok()
}

/// The last entry is the edge's; those before it are the client's own words.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let value = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next()?.trim().parse().ok()
}

/// What is counted as one: an IPv4 address, or the /64 that a household has in IPv6.
fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))),
    }
}

/// Connections by address.
#[derive(Debug, Default)]
pub struct Addresses {
    counts: Mutex<HashMap<IpAddr, Count>>,
}

#[derive(Debug, Default)]
struct Count {
    all: usize,
    greeting: usize,
}

/// A place of one address, free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    addresses: Arc<Addresses>,
    /// `None` is this machine itself, which is not counted.
    household: Option<IpAddr>,
    greeting: bool,
}

impl Addresses {
    /// Takes a place for a new connection, unless the address has as many as it may.
    pub fn enter(self: &Arc<Self>, address: IpAddr, all: usize, greeting: usize) -> Option<Place> {
        let addresses = Arc::clone(self);
        if address.is_loopback() {
            return Some(Place { addresses, household: None, greeting: false });
        }
        let household = household(address);
        let mut counts = lock(&self.counts);
        let count = counts.entry(household).or_default();
        if count.all >= all || count.greeting >= greeting {
            return None;
        }
        count.all += 1;
        count.greeting += 1;
        drop(counts);
        Some(Place { addresses, household: Some(household), greeting: true })
    }
}

impl Place {
    /// The client has said who it is.
    pub fn greeted(&mut self) {
        if std::mem::take(&mut self.greeting) {
            self.change(|count| count.greeting = count.greeting.saturating_sub(1));
        }
    }

    fn change(&self, change: impl FnOnce(&mut Count)) {
        let Some(household) = self.household else { return };
        if let Entry::Occupied(mut entry) = lock(&self.addresses.counts).entry(household) {
            change(entry.get_mut());
            if entry.get().all == 0 {
                entry.remove();
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.greeted();
        self.change(|count| count.all = count.all.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;

    fn address(headers: &[(&'static str, &'static str)], from_edge: bool) -> String {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        client_address(&headers.collect(), "203.0.113.9:4000".parse().unwrap(), from_edge).to_string()
    }

    #[test]
    fn only_the_edge_is_believed() {
        let cloudfront = ("cloudfront-viewer-address", "198.51.100.7:50000");
        let forwarded = ("x-forwarded-for", "10.0.0.1, 192.0.2.5");
        assert_eq!(address(&[cloudfront, forwarded], true), "198.51.100.7");
        assert_eq!(address(&[cloudfront, forwarded], false), "203.0.113.9");
        assert_eq!(address(&[forwarded], true), "192.0.2.5");
        assert_eq!(address(&[("cloudfront-viewer-address", "2001:db8::1:50000")], true), "2001:db8::1");
        assert_eq!(address(&[("cloudfront-viewer-address", "nonsense")], true), "203.0.113.9");
    }

    #[test]
    fn ipv6_neighbours_share_their_places() {
        let addresses = Arc::new(Addresses::default());
        let enter = |address: &str| addresses.enter(address.parse().unwrap(), 2, 2);
        let (first, second) = (enter("2001:db8:1:2::1").unwrap(), enter("2001:db8:1:2:ffff::9").unwrap());
        assert!(enter("2001:db8:1:2::3").is_none());
        assert!(enter("2001:db8:1:3::1").is_some());
        drop(first);
        assert!(enter("2001:db8:1:2::3").is_some());
        drop(second);
        assert!(lock(&addresses.counts).is_empty());
    }

    #[test]
    fn those_who_do_not_greet_have_fewer_places() {
        let addresses = Arc::new(Addresses::default());
        let enter = || addresses.enter("192.0.2.1".parse().unwrap(), 10, 1);
        let mut first = enter().unwrap();
        assert!(enter().is_none());
        first.greeted();
        let second = enter().unwrap();
        drop((first, second));
        assert!(lock(&addresses.counts).is_empty());
        assert!((0..100).all(|_| addresses.enter("127.0.0.1".parse().unwrap(), 0, 0).is_some()));
    }
}
