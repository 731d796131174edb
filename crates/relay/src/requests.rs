//! What clients with credentials ask for: an allocation, more time for it, a permission, a channel.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use stun_types::AddressFamily;
use stun_types::attribute::{
    AttributeStaticType as _, AttributeType, AttributeWrite, MessageIntegrity, Nonce, Realm, Username, XorMappedAddress,
};
use stun_types::message::{IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message};
use turn_types::attribute::{
    ChannelNumber, Lifetime, RequestedAddressFamily, RequestedTransport, XorPeerAddress, XorRelayedAddress,
};
use turn_types::message::{ALLOCATE, CREATE_PERMISSION, REFRESH};

use crate::allocations::{Allocation, Channel, Client};
use crate::message::{self, Refusal, Seal};
use crate::rate::Bucket;
use crate::relay::{Authority, Grant, Relay};

/// The protocol number of UDP, the only one that is relayed.
const UDP: u8 = 17;
/// The numbers of channels: those of RFC 5766, since clients of that time use more of them than RFC 8656 has.
const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x7FFE;
/// The attributes of requests that must be understood and are. `EVEN-PORT`, `RESERVATION-TOKEN` and `DONT-FRAGMENT` are
/// not among them: a relayed port is no real one, so it has no neighbour and no packets to fragment.
const KNOWN: &[AttributeType] = &[
    Username::TYPE,
    MessageIntegrity::TYPE,
    Realm::TYPE,
    Nonce::TYPE,
    RequestedTransport::TYPE,
    RequestedAddressFamily::TYPE,
    Lifetime::TYPE,
    XorPeerAddress::TYPE,
    ChannelNumber::TYPE,
];

/// The attributes of a successful answer.
type Granted = Vec<Box<dyn AttributeWrite>>;

/// Who asks, proved.
struct Proven {
    username: String,
    key: IntegrityKey,
    /// What a new username is granted; `None` if the client has an allocation.
    grant: Option<Grant>,
}

impl<A: Authority> Relay<A> {
    /// Answers a request that needs credentials.
    pub(crate) fn request(&mut self, now: Instant, client: Client, request: &Message<'_>) -> Option<Vec<u8>> {
        let proven = match self.prove(now, client, request) {
            Ok(proven) => proven,
            Err(None) => return None,
            Err(Some(refusal)) => return self.challenge(now, client, request, refusal),
        };
        let seal = Seal::Key(&proven.key);
        let unknown = message::unknown(request, KNOWN);
        if !unknown.is_empty() {
            return message::refuse_unknown(request, &unknown, &seal);
        }
        let granted = match request.method() {
            ALLOCATE => self.allocate(now, client, request, &proven),
            REFRESH => self.refresh(now, client, request),
            CREATE_PERMISSION => self.permit(now, client, request),
            _ => self.bind_channel(now, client, request),
        };
        match granted {
            Ok(attributes) => {
                let attributes: Vec<&dyn AttributeWrite> = attributes.iter().map(AsRef::as_ref).collect();
                message::success(request, &attributes, &seal)
            }
            Err(refusal) => {
                self.count(refusal);
                message::refuse(request, refusal, &seal)
            }
        }
    }

    /// Refuses a request that proves nothing, with what the client needs to prove itself.
    fn challenge(&self, now: Instant, client: Client, request: &Message<'_>, refusal: Refusal) -> Option<Vec<u8>> {
        if refusal == Refusal::BAD_REQUEST || refusal == Refusal::WRONG_CREDENTIALS {
            return message::refuse(request, refusal, &Seal::None);
        }
        let nonce = self.nonces.give(now, client.address.ip());
        message::refuse(request, refusal, &Seal::Challenge { realm: &self.settings.realm, nonce: &nonce })
    }

    /// Checks the credentials of a request (RFC 8489, section 9.2.4). Fails with `None` if it must not be answered.
    fn prove(&mut self, now: Instant, client: Client, request: &Message<'_>) -> Result<Proven, Option<Refusal>> {
        let known = self.allocations.of_client(&client).map(|known| (known.username.clone(), known.key.clone()));
        // Every check costs time, and so does an answer. A client with an allocation has paid for that.
        if known.is_none() {
            self.stranger(now, client).ok_or(None)?;
        }
        if !request.has_attribute(MessageIntegrity::TYPE) {
            return Err(Some(Refusal::UNAUTHORIZED));
        }
        let attributes = (request.attribute::<Username>(), request.attribute::<Realm>(), request.attribute::<Nonce>());
        let (Ok(username), Ok(_), Ok(nonce)) = attributes else { return Err(Some(Refusal::BAD_REQUEST)) };
        if !self.nonces.accepts(nonce.nonce(), now, client.address.ip()) {
            return Err(Some(Refusal::STALE_NONCE));
        }
        let username = username.username().to_owned();
        let checked = match known {
            Some((name, _)) if name != username => return Err(Some(Refusal::WRONG_CREDENTIALS)),
            Some((_, key)) => request.validate_integrity_with_key(&key).ok().map(|_| (key, None)),
            None => self.check(&username, request).map(|(key, grant)| (key, Some(grant))),
        };
        let Some((key, grant)) = checked else {
            self.counters.refused.credentials += 1;
            return Err(Some(Refusal::UNAUTHORIZED));
        };
        Ok(Proven { username, key, grant })
    }

    /// Checks a username that has no allocation yet, and returns its key.
    fn check(&self, username: &str, request: &Message<'_>) -> Option<(IntegrityKey, Grant)> {
        let grant = self.authority.grant(username)?;
        let key = grant.passwords.iter().find_map(|password| {
            let (username, realm) = (username.to_owned(), self.settings.realm.clone());
            let key = LongTermKeyCredentials::new(username, password.clone(), realm).make_key(IntegrityAlgorithm::Sha1);
            request.validate_integrity_with_key(&key).ok().map(|_| key)
        })?;
        Some((key, grant))
    }

    fn allocate(
        &mut self,
        now: Instant,
        client: Client,
        request: &Message<'_>,
        proven: &Proven,
    ) -> Result<Granted, Refusal> {
        let transport = request.attribute::<RequestedTransport>().map_err(|_| Refusal::BAD_REQUEST)?;
        if transport.protocol() != UDP {
            return Err(Refusal::ONLY_UDP);
        }
        let family = request.attribute::<RequestedAddressFamily>().map(|family| family.family());
        if family.is_ok_and(|family| family != AddressFamily::IPV4) {
            return Err(Refusal::ADDRESS_FAMILY);
        }
        let transaction = request.transaction_id();
        let Some(grant) = &proven.grant else {
            // The client has one. If its first answer was lost, it gets it again.
            let existing = self.allocations.of_client(&client).filter(|known| known.transaction == transaction);
            return existing.map(|known| self.allocated(now, known, request)).ok_or(Refusal::MISMATCH);
        };
        let port = self.room_for(client, grant)?;
        let limits = &self.settings.limits;
        let allocation = Allocation {
            client,
            port,
            username: proven.username.clone(),
            holder: grant.holder,
            key: proven.key.clone(),
            transaction,
            expires: now + lifetime(request, limits.lifetime, limits.longest_lifetime).max(limits.lifetime),
            ends: now + limits.age,
            permitted_until: None,
            channels: Vec::new(),
            sending: Bucket::new(now, limits.allocation_burst),
        };
        let answer = self.allocated(now, &allocation, request);
        self.allocations.add(allocation);
        self.counters.allocated += 1;
        Ok(answer)
    }

    /// Returns a free port, if the quotas leave room for another allocation.
    fn room_for(&self, client: Client, grant: &Grant) -> Result<u16, Refusal> {
        let limits = &self.settings.limits;
        if self.budget_spent {
            return Err(Refusal::BUDGET);
        }
        if self.allocations.of_holder(grant.holder) >= grant.allocations
            || self.allocations.of_network(client.network()) >= limits.per_address
        {
            return Err(Refusal::QUOTA);
        }
        if self.allocations.len() >= limits.allocations {
            return Err(Refusal::CAPACITY);
        }
        self.allocations.free_port().ok_or(Refusal::CAPACITY)
    }

    fn allocated(&self, now: Instant, allocation: &Allocation, request: &Message<'_>) -> Granted {
        let transaction = request.transaction_id();
        let relayed = SocketAddr::new(self.settings.address.into(), allocation.port);
        let seen = allocation.client.address;
        let seen = SocketAddr::new(seen.ip().to_canonical(), seen.port());
        vec![
            Box::new(XorRelayedAddress::new(relayed, transaction)),
            Box::new(Lifetime::new(seconds(allocation.expires.saturating_duration_since(now)))),
            Box::new(XorMappedAddress::new(seen, transaction)),
        ]
    }

    fn refresh(&mut self, now: Instant, client: Client, request: &Message<'_>) -> Result<Granted, Refusal> {
        let limits = &self.settings.limits;
        let wanted = lifetime(request, limits.lifetime, limits.longest_lifetime);
        if wanted.is_zero() {
            // Deleting what does not exist is no error for a client whose first answer was lost.
            self.allocations.remove(&client);
            return Ok(vec![Box::new(Lifetime::new(0))]);
        }
        let allocation = self.allocations.of_client_mut(&client).ok_or(Refusal::MISMATCH)?;
        allocation.expires = (now + wanted.max(limits.lifetime)).min(allocation.ends);
        Ok(vec![Box::new(Lifetime::new(seconds(allocation.expires.saturating_duration_since(now))))])
    }

    fn permit(&mut self, now: Instant, client: Client, request: &Message<'_>) -> Result<Granted, Refusal> {
        let peers = (0..).map_while(|n| request.nth_attribute::<XorPeerAddress>(n).ok());
        let peers: Vec<SocketAddr> = peers.map(|peer| peer.addr(request.transaction_id())).collect();
        let until = now + self.settings.limits.permission;
        self.allocations.of_client(&client).ok_or(Refusal::MISMATCH)?;
        if peers.is_empty() {
            return Err(Refusal::BAD_REQUEST);
        }
        peers.iter().try_for_each(|peer| self.may_reach(peer))?;
        let allocation = self.allocations.of_client_mut(&client).ok_or(Refusal::MISMATCH)?;
        allocation.permitted_until = Some(until);
        Ok(Vec::new())
    }

    fn bind_channel(&mut self, now: Instant, client: Client, request: &Message<'_>) -> Result<Granted, Refusal> {
        let number = request.attribute::<ChannelNumber>().map_err(|_| Refusal::BAD_REQUEST)?.channel();
        let peer = request.attribute::<XorPeerAddress>().map_err(|_| Refusal::BAD_REQUEST)?;
        let peer = peer.addr(request.transaction_id());
        self.allocations.of_client(&client).ok_or(Refusal::MISMATCH)?;
        self.may_reach(&peer)?;
        let limits = &self.settings.limits;
        let allocation = self.allocations.of_client_mut(&client).ok_or(Refusal::MISMATCH)?;
        allocation.channels.retain(|channel| now < channel.expires);
        let same = |channel: &Channel| channel.number == number && channel.port == peer.port();
        let near = |channel: &Channel| channel.number == number || channel.port == peer.port();
        if !CHANNELS.contains(&number) || allocation.channels.iter().any(|channel| near(channel) && !same(channel)) {
            return Err(Refusal::BAD_REQUEST);
        }
        allocation.channels.retain(|channel| !same(channel));
        if allocation.channels.len() >= limits.channels {
            return Err(Refusal::CAPACITY);
        }
        allocation.channels.push(Channel { number, port: peer.port(), expires: now + limits.channel });
        allocation.permitted_until = Some(now + limits.permission);
        Ok(Vec::new())
    }

    /// Checks that a peer is a relayed address, the only kind that can be reached.
    fn may_reach(&self, peer: &SocketAddr) -> Result<(), Refusal> {
        match peer.ip() {
            IpAddr::V6(_) => Err(Refusal::PEER_FAMILY),
            IpAddr::V4(address) if address == self.settings.address => Ok(()),
            IpAddr::V4(_) => Err(Refusal::FORBIDDEN),
        }
    }

    fn count(&mut self, refusal: Refusal) {
        let refused = &mut self.counters.refused;
        match refusal {
            Refusal::BUDGET => refused.budget += 1,
            Refusal::QUOTA | Refusal::CAPACITY => refused.quota += 1,
            _ => {}
        }
    }
}

/// Returns the lifetime that a request asks for, within what is allowed.
fn lifetime(request: &Message<'_>, default: Duration, longest: Duration) -> Duration {
    let wanted = request.attribute::<Lifetime>().map(|lifetime| Duration::from_secs(lifetime.seconds().into()));
    wanted.unwrap_or(default).min(longest)
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
