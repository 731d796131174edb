//! Admission by ticket: it is verified, used once, and turned into an identity.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crate::protocol::{ErrorCode, Refused};
use crate::session::Identity;
use parking_lot::Mutex;
use peersync_server::clock::Clock;
use peersync_server::tickets::{Claims, TICKET_SECONDS, TicketError, TicketKeys};

/// The maximum length of a ticket in bytes.
const MAX_TICKET: usize = 4096;
/// The maximum length of a name in characters. The API has the same limit.
const MAX_NAME: usize = 64;
/// The accepted clock skew in seconds, if the issuer's clock is ahead of ours.
const SKEW: i64 = 30;

/// Verifies tickets and remembers those that were used.
#[derive(Debug)]
pub struct Tickets {
    keys: TicketKeys,
    clock: Clock,
    used: Mutex<Used>,
}

/// The ids of used tickets, kept until they expire.
#[derive(Debug, Default)]
struct Used {
    ids: HashSet<Arc<str>>,
    by_end: VecDeque<(i64, Arc<str>)>,
}

impl Tickets {
    /// Returns a verifier with the stack's keys.
    pub fn new(keys: TicketKeys) -> Self {
        Self { keys, clock: Clock::default(), used: Mutex::default() }
    }

    /// Verifies a ticket and marks it as used.
    ///
    /// # Errors
    /// It is invalid, expired, or was used before.
    pub fn admit(&self, ticket: &str) -> Result<Identity, Refused> {
        let now = self.clock.now();
        let invalid = Refused(ErrorCode::TicketInvalid, "the ticket is not valid; ask for a new one");
        if ticket.len() > MAX_TICKET {
            return Err(invalid);
        }
        let claims = self.keys.verify(ticket, now).map_err(|error| match error {
            TicketError::Invalid => invalid,
            TicketError::Expired => Refused(ErrorCode::TicketExpired, "the ticket is older than a minute"),
        })?;
        // A ticket that expires after its id is forgotten could be used twice.
        if claims.exp - now > TICKET_SECONDS + SKEW {
            return Err(invalid);
        }
        if !self.used.lock().take(&claims.jti, claims.exp, now) {
            return Err(Refused(ErrorCode::TicketUsed, "the ticket was already used; each is good for one connection"));
        }
        Ok(identity(claims))
    }
}

impl Used {
    fn take(&mut self, id: &str, end: i64, now: i64) -> bool {
        // An id behind one that expires later waits for it, by at most the skew.
        while self.by_end.front().is_some_and(|(end, _)| *end <= now) {
            if let Some((_, old)) = self.by_end.pop_front() {
                self.ids.remove(&old);
            }
        }
        let id: Arc<str> = id.into();
        let new = self.ids.insert(Arc::clone(&id));
        if new {
            self.by_end.push_back((end, id));
        }
        new
    }
}

fn identity(claims: Claims) -> Identity {
    let email = (!claims.guest).then(|| claims.sub.into());
    let name = claims.name.chars().take(MAX_NAME).collect::<String>().into();
    Identity { email, name, room: claims.room.map(Into::into) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;
    use peersync_server::tickets::{Bearer, TicketKey};

    #[test]
    fn ticket_is_accepted_once_and_forgotten_after_expiry() {
        let keys = TicketKeys::new("s", TicketKey::parse(&"A".repeat(43)).unwrap(), None);
        let clock = Clock::fixed(1000);
        let tickets = Tickets { keys: keys.clone(), clock: clock.clone(), used: Mutex::default() };
        let bearer = |guest| Bearer { subject: "a@b.c".into(), name: "A".repeat(100), guest, room: Some("r".into()) };
        let ticket = keys.issue(bearer(false), 1000).unwrap();
        let identity = tickets.admit(&ticket).unwrap();
        assert_eq!((identity.email.as_deref(), identity.name.len()), (Some("a@b.c"), 64));
        assert_eq!(tickets.admit(&ticket).unwrap_err().0, ErrorCode::TicketUsed);
        clock.forward(60);
        assert_eq!(tickets.admit(&ticket).unwrap_err().0, ErrorCode::TicketExpired);
        let guest = keys.issue(bearer(true), 1060).unwrap();
        assert_eq!(tickets.admit(&guest).unwrap().email, None);
        assert_eq!(tickets.used.lock().ids.len(), 1);
        let early = keys.issue(bearer(true), 1200).unwrap();
        assert_eq!(tickets.admit(&early).unwrap_err().0, ErrorCode::TicketInvalid);
        assert_eq!(tickets.admit(&"x".repeat(5000)).unwrap_err().0, ErrorCode::TicketInvalid);
    }
}
