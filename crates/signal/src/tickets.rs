//! Admission by ticket: it is verified, used once, and turned into an identity.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crate::keys::Keys;
use crate::protocol::{ErrorCode, Refused};
use crate::session::Identity;
use parking_lot::Mutex;
use peersync_server::display_name::MAX_NAME;
use peersync_server::email_address::key_of;
use peersync_server::tickets::{Claims, TICKET_SECONDS, TicketError};

/// The maximum length of a ticket in bytes.
const MAX_TICKET: usize = 4096;
/// The accepted clock skew in seconds, if the issuer's clock is ahead of ours.
const SKEW: i64 = 30;
const TOO_MANY: Refused =
    Refused(ErrorCode::TicketExpired, "too many tickets were used lately; ask for a new one in a few seconds");
const EXPIRED: Refused =
    Refused(ErrorCode::TicketExpired, "the ticket is older than a minute, or than this server; ask for a new one");

/// Verifies tickets and remembers those that were used.
#[derive(Debug)]
pub struct Tickets {
    used: Mutex<Used>,
    /// The maximum number of used ones.
    most: usize,
    /// When the server started, in seconds since 1970. Earlier tickets may have been used with the server before.
    started: i64,
}

/// The ids of used tickets, kept until they expire.
#[derive(Debug, Default)]
struct Used {
    ids: HashSet<Arc<str>>,
    by_end: VecDeque<(i64, Arc<str>)>,
}

impl Tickets {
    /// Returns the tickets of a server that starts now, in seconds since 1970.
    pub fn new(started: i64, most: usize) -> Self {
        Self { used: Mutex::default(), most, started }
    }

    /// Verifies a ticket and marks it as used.
    ///
    /// # Errors
    /// It is invalid, expired, older than the server, or was used before.
    pub async fn admit(&self, ticket: &str, keys: &Keys) -> Result<Identity, Refused> {
        let now = keys.now();
        let invalid = Refused(ErrorCode::TicketInvalid, "the ticket is not valid; ask for a new one");
        if ticket.len() > MAX_TICKET {
            return Err(invalid);
        }
        let claims = keys.verify(ticket, now).await.map_err(|error| match error {
            TicketError::Invalid | TicketError::UnknownKey => invalid,
            TicketError::Expired => EXPIRED,
        })?;
        if claims.iat < self.started {
            return Err(EXPIRED);
        }
        // A ticket that expires after its id is forgotten could be used twice.
        if claims.exp - now > TICKET_SECONDS + SKEW {
            return Err(invalid);
        }
        let mut used = self.used.lock();
        if used.is_full(self.most, now) {
            return Err(TOO_MANY);
        }
        if !used.take(&claims.jti, claims.exp) {
            return Err(Refused(ErrorCode::TicketUsed, "the ticket was already used; each is good for one connection"));
        }
        Ok(identity(claims))
    }
}

impl Used {
    /// Forgets those that have expired. Returns whether there is no place for another one.
    fn is_full(&mut self, most: usize, now: i64) -> bool {
        // An id behind one that expires later waits for it, by at most the skew.
        while self.by_end.front().is_some_and(|(end, _)| *end <= now) {
            if let Some((_, old)) = self.by_end.pop_front() {
                self.ids.remove(&old);
            }
        }
        self.ids.len() >= most
    }

    fn take(&mut self, id: &str, end: i64) -> bool {
        let id: Arc<str> = id.into();
        let new = self.ids.insert(Arc::clone(&id));
        if new {
            self.by_end.push_back((end, id));
        }
        new
    }
}

fn identity(claims: Claims) -> Identity {
    // The subject of a ticket of an earlier version is the address as it was typed.
    let email = (!claims.guest).then(|| key_of(&claims.sub).into());
    let address = (!claims.guest).then(|| claims.address.unwrap_or(claims.sub).into());
    let generation = claims.generation.filter(|_| !claims.guest).map(Into::into);
    let sign_in = claims.session.filter(|_| !claims.guest).map(Into::into);
    let name = claims.name.chars().take(MAX_NAME).collect::<String>().into();
    Identity { email, address, generation, sign_in, name, room: claims.room.map(Into::into) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use std::sync::Arc;

    use super::*;
    use peersync_server::clock::Clock;
    use peersync_server::secrets::{LiveSecrets, Secret, Secrets};
    use peersync_server::tickets::Bearer;

    #[tokio::test]
    async fn ticket_is_accepted_once_and_forgotten_after_expiry() {
        let secrets = Secrets { ticket_key: Some(Secret::new("A".repeat(43))), ..Secrets::default() };
        let issuer = secrets.ticket_keys("s", 1000).unwrap();
        let (clock, tickets) = (Clock::fixed(1000), Tickets::new(1000, 2));
        let keys = Keys::for_tests("s", Arc::new(LiveSecrets::fixed(secrets)), clock.clone());
        let bearer = |guest| {
            let (name, room) = ("A".repeat(100), Some("r".into()));
            Bearer { subject: "a@b.c".into(), address: None, name, guest, generation: None, session: None, room }
        };
        let earlier = issuer.issue(bearer(false), 999).unwrap();
        assert_eq!(tickets.admit(&earlier, &keys).await.unwrap_err().0, ErrorCode::TicketExpired);
        let ticket = issuer.issue(bearer(false), 1000).unwrap();
        let identity = tickets.admit(&ticket, &keys).await.unwrap();
        assert_eq!((identity.email.as_deref(), identity.name.len()), (Some("a@b.c"), 64));
        assert_eq!(tickets.admit(&ticket, &keys).await.unwrap_err().0, ErrorCode::TicketUsed);
        clock.forward(60);
        assert_eq!(tickets.admit(&ticket, &keys).await.unwrap_err().0, ErrorCode::TicketExpired);
        let guest = issuer.issue(bearer(true), 1060).unwrap();
        assert_eq!(tickets.admit(&guest, &keys).await.unwrap().email, None);
        assert_eq!(tickets.used.lock().ids.len(), 1);
        for place in [true, false] {
            let ticket = issuer.issue(bearer(true), 1060).unwrap();
            assert_eq!(tickets.admit(&ticket, &keys).await.is_ok(), place, "two are remembered");
        }
        clock.forward(60);
        let early = issuer.issue(bearer(true), 1260).unwrap();
        assert_eq!(tickets.admit(&early, &keys).await.unwrap_err().0, ErrorCode::TicketInvalid);
        assert_eq!(tickets.admit(&"x".repeat(5000), &keys).await.unwrap_err().0, ErrorCode::TicketInvalid);
    }
}
