//! The protocol without sockets: what comes in, what goes out.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use stun_types::attribute::XorMappedAddress;
use stun_types::message::{BINDING, Message, MessageClass};
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND};

use crate::allocations::{Allocations, Client};
use crate::counters::Counters;
use crate::limits::Limits;
use crate::message::{self, Refusal, Seal};
use crate::nonce::Nonces;
use crate::rate::{Bucket, SharedBuckets};

/// Who may use the relay.
pub trait Authority: Send + 'static {
    /// Returns what a username is granted, or nothing if it is unknown or expired.
    fn grant(&self, username: &str) -> Option<Grant>;

    /// Returns whether what was granted to a username before was withdrawn since.
    fn is_withdrawn(&self, _username: &str) -> bool {
        false
    }
}

impl<A: Authority + Sync> Authority for Arc<A> {
    fn grant(&self, username: &str) -> Option<Grant> {
        self.as_ref().grant(username)
    }

    fn is_withdrawn(&self, username: &str) -> bool {
        self.as_ref().is_withdrawn(username)
    }
}

/// What a username is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The passwords that prove it. There are several while a secret changes.
    pub passwords: Vec<String>,
    /// Whom the allocations count for. Many usernames can have the same holder.
    pub holder: u64,
    /// The maximum number of allocations of the holder.
    pub allocations: usize,
}

/// What a relay needs to know about itself.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The realm of the credentials.
    pub realm: String,
    /// The address of which allocations get ports. It should be the host's public one: browsers tell it to each other,
    /// and nobody else has to reach it.
    pub address: Ipv4Addr,
    /// The limits.
    pub limits: Limits,
}

/// A STUN and TURN server without sockets.
#[derive(Debug)]
pub struct Relay<A> {
    pub(crate) settings: Settings,
    pub(crate) authority: A,
    pub(crate) nonces: Nonces,
    pub(crate) allocations: Allocations,
    pub(crate) counters: Counters,
    pub(crate) sending: Bucket,
    pub(crate) budget_spent: bool,
    strangers: SharedBuckets,
    all_strangers: Bucket,
}

impl<A: Authority> Relay<A> {
    /// Returns a relay without clients.
    pub fn new(settings: Settings, authority: A, now: Instant) -> Self {
        let limits = &settings.limits;
        Self {
            nonces: Nonces::new(now, limits.nonce),
            allocations: Allocations::new(),
            counters: Counters::default(),
            sending: Bucket::new(now, limits.total_burst),
            budget_spent: false,
            strangers: SharedBuckets::new(now, limits.strangers_rate, limits.strangers_burst),
            all_strangers: Bucket::new(now, limits.strangers_total),
            settings,
            authority,
        }
    }

    /// Takes a packet of a client, or one message of its connection. What is to be sent is written into `out`, and its
    /// receiver returned.
    pub fn handle(&mut self, now: Instant, client: Client, packet: &[u8], out: &mut Vec<u8>) -> Option<Client> {
        out.clear();
        // The first two bits tell the two kinds of packets apart (RFC 7983).
        match packet.first()? >> 6 {
            0 => self.message(now, client, packet, out),
            1 => self.channel_data(now, client, packet, out),
            _ => None,
        }
    }

    /// Ends what has expired. To be called every second.
    pub fn tick(&mut self, now: Instant) {
        self.allocations.expire(now);
    }

    /// Ends what a client has whose connection is closed.
    pub fn disconnected(&mut self, client: &Client) {
        self.allocations.remove(client);
    }

    /// Ends the allocations of those from whom the authority has withdrawn what it granted.
    pub fn end_withdrawn(&mut self) {
        let authority = &self.authority;
        self.allocations.remove_if(|allocation| authority.is_withdrawn(&allocation.username));
    }

    /// Returns whether a client has an allocation.
    pub fn has_allocation(&self, client: &Client) -> bool {
        self.allocations.of_client(client).is_some()
    }

    /// Sets whether the traffic that may be relayed is used up. Calls that are relayed go on; new ones are refused.
    pub fn set_budget_spent(&mut self, spent: bool) {
        self.budget_spent = spent;
    }

    /// Returns what was counted until now.
    pub fn counters(&self) -> Counters {
        Counters { allocations: self.allocations.len(), ..self.counters }
    }

    /// Returns the limits.
    pub fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    fn message(&mut self, now: Instant, client: Client, packet: &[u8], out: &mut Vec<u8>) -> Option<Client> {
        let message = message::parse(packet)?;
        if message.has_class(MessageClass::Indication) {
            return if message.has_method(SEND) { self.send(now, client, &message, out) } else { None };
        }
        // Responses are for clients.
        if !message::is_request(&message) {
            return None;
        }
        let answer = match message.method() {
            BINDING => self.binding(now, client, &message),
            ALLOCATE | REFRESH | CREATE_PERMISSION | CHANNEL_BIND => self.request(now, client, &message),
            _ => self.stranger(now, client).and_then(|()| message::refuse(&message, Refusal::BAD_REQUEST, &Seal::None)),
        }?;
        out.extend_from_slice(&answer);
        Some(client)
    }

    /// Tells a client its own address, which is all that STUN does.
    fn binding(&mut self, now: Instant, client: Client, request: &Message<'_>) -> Option<Vec<u8>> {
        self.stranger(now, client)?;
        let seen = SocketAddr::new(client.address.ip().to_canonical(), client.address.port());
        message::success(request, &[&XorMappedAddress::new(seen, request.transaction_id())], &Seal::None)
    }

    /// Counts an answer to a client that has proved nothing. Returns `None` if it must not get one.
    pub(crate) fn stranger(&mut self, now: Instant, client: Client) -> Option<()> {
        let total = self.settings.limits.strangers_total;
        let answered = self.strangers.take(now, client.network()) && self.all_strangers.take(now, 1, total, total);
        if !answered {
            self.counters.refused.strangers += 1;
        }
        answered.then_some(())
    }
}
