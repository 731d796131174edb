//! A session: its identity, and what its connection and the hub share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::bounds::Bounds;
use crate::ids::{PeerId, ResumeKey};
use crate::outbox::Outbox;
use crate::protocol::{Member, ServerMessage};
use crate::rate_limiter::RateLimiter;

/// The identity of a client according to its ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The key of a signed-in user's address. Guests have none.
    pub email: Option<Arc<str>>,
    /// The address as people are shown it.
    pub address: Option<Arc<str>>,
    /// The generation of the user's account when the ticket was issued. Guests have none, nor do tickets of an earlier
    /// version of the API.
    pub generation: Option<Arc<str>>,
    /// The sign-in session by which the ticket was issued. As for the generation, it may be missing.
    pub sign_in: Option<Arc<str>>,
    /// The name that others see.
    pub name: Arc<str>,
    /// The room for which the ticket was issued.
    pub room: Option<Arc<str>>,
    /// The id of the ticket, which the sessions that continue this one at other servers keep.
    pub lineage: Arc<str>,
    /// Whether it comes from another server, by a re-entry.
    pub moved: bool,
    /// The public id that it had there.
    pub former: Option<PeerId>,
}

#[cfg(test)]
impl Identity {
    /// Returns a guest without a room.
    pub fn guest(name: &str) -> Self {
        let (name, lineage) = (name.into(), "a ticket".into());
        let (email, address, generation, sign_in, room) = (None, None, None, None, None);
        Self { email, address, generation, sign_in, name, room, lineage, moved: false, former: None }
    }
}

/// A session, shared by the connection's task and the hub.
#[derive(Debug)]
pub struct Session {
    /// Its public id.
    pub peer: PeerId,
    /// The key to resume it.
    pub key: ResumeKey,
    /// The identity of the client.
    pub who: Identity,
    /// The messages for the client.
    pub outbox: Outbox,
    /// The limit on the client's messages.
    pub rate_limiter: RateLimiter,
    /// When the last byte was received, in milliseconds since the server's start.
    heard: AtomicU64,
}

impl Session {
    /// Returns a new session for connection `owner`.
    pub fn new(who: Identity, bounds: Arc<Bounds>, owner: u64, now: Duration) -> Arc<Self> {
        let peer = PeerId::random();
        Arc::new(Self {
            peer,
            key: ResumeKey::random(peer),
            who,
            outbox: Outbox::new(bounds, owner),
            rate_limiter: RateLimiter::default(),
            heard: AtomicU64::new(millis(now)),
        })
    }

    /// Queues a message.
    pub fn send(&self, message: &ServerMessage) {
        self.send_json(&message.to_json());
    }

    /// Queues a message that is already serialized, for many recipients.
    pub fn send_json(&self, json: &str) {
        if let Some(inside) = json.get(1..) {
            self.outbox.push(&[inside]);
        }
    }

    /// Returns on whose account look-ups for this session are: the user's address, or the session's id.
    pub fn payer(&self) -> Arc<str> {
        self.who.email.clone().unwrap_or_else(|| self.peer.to_string().into())
    }

    /// Returns the session as another one sees it. `known` is true for friends and the user's own sessions.
    pub fn as_member(&self, known: bool) -> Member {
        let email = self.who.address.as_ref().filter(|_| known).map(|email| email.to_string());
        let guest = self.who.email.is_none();
        let was = self.who.former.map(|former| former.to_string());
        Member { peer: self.peer.to_string(), name: self.who.name.to_string(), email, guest, was }
    }

    /// Records that bytes were received.
    pub fn heard(&self, now: Duration) {
        self.heard.store(millis(now), Ordering::Relaxed);
    }

    /// Returns for how long nothing was received.
    pub fn silence(&self, now: Duration) -> Duration {
        Duration::from_millis(millis(now).saturating_sub(self.heard.load(Ordering::Relaxed)))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
