//! A session: who it is, and what its connection and the server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::bounds::Bounds;
use crate::ids::{PeerId, ResumeKey};
use crate::outbox::{EndRequest, Outbox};
use crate::protocol::{Member, ServerMessage};
use crate::rate_limiter::RateLimiter;

/// Who a client is, as its ticket says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The address of a signed-in user; guests have none.
    pub email: Option<Arc<str>>,
    /// The name that others see.
    pub name: Arc<str>,
    /// The room that the ticket opens.
    pub room: Option<Arc<str>>,
}

/// Shared by the connection's task and the hub.
#[derive(Debug)]
pub struct Session {
    /// Its public name.
    pub peer: PeerId,
    /// The secret to resume it with.
    pub key: ResumeKey,
    /// Who it is.
    pub who: Identity,
    /// What waits for the client.
    pub outbox: Outbox,
    /// How fast the client may send.
    pub rate_limiter: RateLimiter,
    /// When something was last heard, in milliseconds since the server's start.
    heard: AtomicU64,
}

impl Session {
    /// A new session, written by connection `owner`.
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

    /// Queues a message that was already written as JSON, for many receivers.
    pub fn send_json(&self, json: &str) {
        if let Some(inside) = json.get(1..) {
            self.outbox.push(&[inside]);
        }
    }

    /// How another one sees it; `known` are friends and the user's own sessions.
    pub fn as_member(&self, known: bool) -> Member {
        let email = self.who.email.as_ref().filter(|_| known).map(|email| email.to_string());
        Member { peer: self.peer.to_string(), name: self.who.name.to_string(), email }
    }

    /// A frame came.
    pub fn heard(&self, now: Duration) {
        self.heard.store(millis(now), Ordering::Relaxed);
    }

    /// The wheel's turn: a ping, or the end where nothing was heard for `dead`.
    pub fn beat(&self, now: Duration, dead: Duration) {
        if millis(now).saturating_sub(self.heard.load(Ordering::Relaxed)) >= millis(dead) {
            self.outbox.end(EndRequest::Dead);
        } else {
            self.outbox.beat();
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
