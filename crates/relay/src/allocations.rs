//! Who has which relayed port, and what belongs to it: the permission, the channels, the quota.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use stun_types::message::{IntegrityKey, TransactionId};

use crate::rate::Bucket;

/// The relayed ports: those that RFC 8656 (section 7.2) recommends, so that nobody takes one for a known service.
const FIRST_PORT: u16 = 49152;
/// The number of relayed ports.
const PORTS: usize = 16384;
/// The mark of a port without an allocation.
const NONE: u32 = u32::MAX;

/// The other end of a client's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    /// The way that its packets take.
    pub path: Path,
    /// The address from which they come.
    pub address: SocketAddr,
}

/// The way between a client and the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// The UDP socket with this index.
    Udp(u16),
    /// The connection with this number, by TCP or TLS.
    Stream(u64),
}

impl Client {
    /// Returns what counts as one client for limits: an IPv4 address, or an IPv6 network of 64 bits.
    pub(crate) fn network(&self) -> IpAddr {
        match self.address.ip().to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))),
            address @ IpAddr::V4(_) => address,
        }
    }
}

/// A channel of an allocation: its number on the wire, and the relayed port at the other end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Channel {
    pub(crate) number: u16,
    pub(crate) port: u16,
    pub(crate) expires: Instant,
}

/// What a client has at the relay.
#[derive(Debug)]
pub(crate) struct Allocation {
    pub(crate) client: Client,
    /// The relayed port.
    pub(crate) port: u16,
    pub(crate) username: String,
    /// Whom the quota counts.
    pub(crate) holder: u64,
    /// The key of the username, computed once.
    pub(crate) key: IntegrityKey,
    /// The request that made it, whose repetition gets the same answer.
    pub(crate) transaction: TransactionId,
    pub(crate) expires: Instant,
    /// When it ends whatever is asked for.
    pub(crate) ends: Instant,
    /// Until when others may send to it. All relayed addresses have the same IP address, so one permission is all.
    pub(crate) permitted_until: Option<Instant>,
    pub(crate) channels: Vec<Channel>,
    pub(crate) sending: Bucket,
}

impl Allocation {
    /// Returns the relayed port to which a channel leads.
    pub(crate) fn port_of(&self, number: u16, now: Instant) -> Option<u16> {
        let channel = self.channels.iter().find(|channel| channel.number == number)?;
        (now < channel.expires).then_some(channel.port)
    }

    /// Returns the channel that leads to a relayed port.
    pub(crate) fn channel_to(&self, port: u16, now: Instant) -> Option<u16> {
        let channel = self.channels.iter().find(|channel| channel.port == port)?;
        (now < channel.expires).then_some(channel.number)
    }

    /// Returns whether others may send to it.
    pub(crate) fn permits(&self, now: Instant) -> bool {
        self.permitted_until.is_some_and(|until| now < until)
    }
}

/// All allocations.
#[derive(Debug)]
pub(crate) struct Allocations {
    slots: Vec<Option<Allocation>>,
    free: Vec<u32>,
    by_client: HashMap<Client, u32>,
    by_port: Vec<u32>,
    by_holder: HashMap<u64, usize>,
    by_network: HashMap<IpAddr, usize>,
}

impl Allocations {
    pub(crate) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_client: HashMap::new(),
            by_port: vec![NONE; PORTS],
            by_holder: HashMap::new(),
            by_network: HashMap::new(),
        }
    }

    /// Returns the number of allocations.
    pub(crate) fn len(&self) -> usize {
        self.by_client.len()
    }

    /// Returns the number of allocations of a holder.
    pub(crate) fn of_holder(&self, holder: u64) -> usize {
        self.by_holder.get(&holder).copied().unwrap_or_default()
    }

    /// Returns the number of allocations from a network.
    pub(crate) fn of_network(&self, network: IpAddr) -> usize {
        self.by_network.get(&network).copied().unwrap_or_default()
    }

    pub(crate) fn of_client(&self, client: &Client) -> Option<&Allocation> {
        self.slot(*self.by_client.get(client)?)
    }

    pub(crate) fn of_client_mut(&mut self, client: &Client) -> Option<&mut Allocation> {
        let slot = usize::try_from(*self.by_client.get(client)?).ok()?;
        self.slots.get_mut(slot)?.as_mut()
    }

    pub(crate) fn of_port(&self, port: u16) -> Option<&Allocation> {
        let slot = self.by_port.get(usize::from(port.checked_sub(FIRST_PORT)?)).copied()?;
        self.slot(slot)
    }

    fn slot(&self, slot: u32) -> Option<&Allocation> {
        self.slots.get(usize::try_from(slot).ok()?)?.as_ref()
    }

    /// Returns a random port that is free. Random, so that nobody can tell which ports others have.
    pub(crate) fn free_port(&self) -> Option<u16> {
        let begin = rand::random_range(0..PORTS);
        let offset = (begin..PORTS).chain(0..begin).find(|&offset| self.by_port.get(offset) == Some(&NONE))?;
        Some(FIRST_PORT.saturating_add(u16::try_from(offset).ok()?))
    }

    /// Adds an allocation, whose client has none and whose port is free.
    pub(crate) fn add(&mut self, allocation: Allocation) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
        });
        self.by_client.insert(allocation.client, slot);
        self.set_port(allocation.port, slot);
        *self.by_holder.entry(allocation.holder).or_default() += 1;
        *self.by_network.entry(allocation.client.network()).or_default() += 1;
        if let Some(place) = usize::try_from(slot).ok().and_then(|slot| self.slots.get_mut(slot)) {
            *place = Some(allocation);
        }
    }

    fn set_port(&mut self, port: u16, slot: u32) {
        let place = port.checked_sub(FIRST_PORT).and_then(|offset| self.by_port.get_mut(usize::from(offset)));
        if let Some(place) = place {
            *place = slot;
        }
    }

    /// Removes the allocation of a client, and returns whether it had one.
    pub(crate) fn remove(&mut self, client: &Client) -> bool {
        let Some(slot) = self.by_client.remove(client) else { return false };
        let place = usize::try_from(slot).ok().and_then(|slot| self.slots.get_mut(slot));
        let Some(allocation) = place.and_then(Option::take) else { return false };
        self.free.push(slot);
        self.set_port(allocation.port, NONE);
        decrement(&mut self.by_holder, allocation.holder);
        decrement(&mut self.by_network, client.network());
        true
    }

    /// Removes all that have expired.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.remove_if(|allocation| now >= allocation.expires);
    }

    /// Removes those for which this is true.
    pub(crate) fn remove_if(&mut self, over: impl Fn(&Allocation) -> bool) {
        let all = self.slots.iter().flatten();
        let ended: Vec<Client> =
            all.filter(|allocation| over(allocation)).map(|allocation| allocation.client).collect();
        for client in &ended {
            self.remove(client);
        }
    }
}

fn decrement<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}
