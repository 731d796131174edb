//! Admission by ticket: it is verified, used once, and turned into an identity.

use std::time::Duration;

use crate::keys::Keys;
use crate::protocol::{ErrorCode, Refused};
use crate::session::Identity;
use crate::used::Used;
use parking_lot::Mutex;
use peersync_server::clock::Moment;
use peersync_server::display_name::MAX_NAME;
use peersync_server::email_address::key_of;
use peersync_server::tickets::{Claims, TICKET_SECONDS, TicketError};

/// The maximum length of a ticket in bytes.
const MAX_TICKET: usize = 4096;
/// The accepted clock skew in seconds, if the issuer's clock is ahead of ours.
pub(crate) const SKEW: i64 = 30;
/// How long a ticket could be used, and so how long its use is remembered.
pub(crate) const REMEMBERED: Duration = Duration::from_secs((TICKET_SECONDS + SKEW).unsigned_abs());
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
    /// When the server started. Earlier tickets may have been used with the server before.
    started: Moment,
}

impl Tickets {
    /// Returns the tickets of a server that starts now.
    pub fn new(started: Moment, most: usize) -> Self {
        Self { used: Mutex::default(), most, started }
    }

    /// Verifies a ticket and marks it as used.
    ///
    /// # Errors
    /// It is invalid, expired, older than the server, or was used before.
    pub async fn admit(&self, ticket: &str, keys: &Keys) -> Result<Identity, Refused> {
        let moment = keys.moment();
        let now = moment.clock;
        let invalid = Refused(ErrorCode::TicketInvalid, "the ticket is not valid; ask for a new one");
        if ticket.len() > MAX_TICKET {
            return Err(invalid);
        }
        let claims = keys.verify(ticket, now).await.map_err(|error| match error {
            TicketError::Invalid | TicketError::UnknownKey => invalid,
            TicketError::Expired => EXPIRED,
        })?;
        if claims.iat < self.started_by(&moment) {
            return Err(EXPIRED);
        }
        // A ticket that expires after its id is forgotten could be used twice.
        if claims.exp - now > TICKET_SECONDS + SKEW {
            return Err(invalid);
        }
        let passed = self.started.until(&moment);
        let mut used = self.used.lock();
        if used.is_full(self.most, passed) {
            return Err(TOO_MANY);
        }
        if !used.take(&claims.jti, passed + REMEMBERED) {
            return Err(Refused(ErrorCode::TicketUsed, "the ticket was already used; each is good for one connection"));
        }
        Ok(identity(claims))
    }

    /// Returns when the server started by the clock of `now`. A host that has booted with a clock that was ahead would
    /// otherwise refuse all tickets once it is right.
    fn started_by(&self, now: &Moment) -> i64 {
        if !self.started.clock_was_set_until(now) {
            return self.started.clock;
        }
        let passed = i64::try_from(self.started.until(now).as_secs()).unwrap_or(i64::MAX);
        now.clock.saturating_sub(passed).saturating_sub(1)
    }
}

/// Returns the holder of a ticket or a re-entry.
pub(crate) fn identity(claims: Claims) -> Identity {
    // The subject of a ticket of an earlier version is the address as it was typed.
    let email = (!claims.guest).then(|| key_of(&claims.sub).into());
    let address = (!claims.guest).then(|| claims.address.unwrap_or(claims.sub).into());
    let generation = claims.generation.filter(|_| !claims.guest).map(Into::into);
    let sign_in = claims.session.filter(|_| !claims.guest).map(Into::into);
    let name = claims.name.chars().take(MAX_NAME).collect::<String>().into();
    let (room, lineage) = (claims.room.map(Into::into), claims.jti.into());
    Identity { email, address, generation, sign_in, name, room, lineage, moved: false, former: None }
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
        let clock = Clock::fixed(1000);
        let tickets = Tickets::new(clock.moment(), 2);
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
        assert_eq!(tickets.used.lock().len(), 2);
        clock.forward(30);
        for place in [true, false] {
            let ticket = issuer.issue(bearer(true), 1090).unwrap();
            assert_eq!(tickets.admit(&ticket, &keys).await.is_ok(), place, "two are remembered, for 90 seconds");
        }
        clock.forward(60);
        let early = issuer.issue(bearer(true), 1260).unwrap();
        assert_eq!(tickets.admit(&early, &keys).await.unwrap_err().0, ErrorCode::TicketInvalid);
        assert_eq!(tickets.admit(&"x".repeat(5000), &keys).await.unwrap_err().0, ErrorCode::TicketInvalid);
    }

    #[tokio::test]
    async fn clock_that_is_set_neither_locks_clients_out_nor_lets_a_used_ticket_in() {
        let secrets = Secrets { ticket_key: Some(Secret::new("A".repeat(43))), ..Secrets::default() };
        let issuer = secrets.ticket_keys("s", 0).unwrap();
        let bearer = || Bearer {
            subject: "a@b.c".into(),
            address: None,
            name: "A".into(),
            guest: false,
            generation: None,
            session: None,
            room: None,
        };
        const DAY: i64 = 86_400;
        // The host boots a day ahead, a day behind, or right, and is set by a day forward, back, or not at all.
        for wrong in [DAY, -DAY] {
            let clock = Clock::fixed(10 * DAY + wrong);
            let tickets = Tickets::new(clock.moment(), 4);
            let keys = Keys::for_tests("s", Arc::new(LiveSecrets::fixed(secrets.clone())), clock.clone());
            let first = issuer.issue(bearer(), clock.now()).unwrap();
            tickets.admit(&first, &keys).await.unwrap();
            clock.forward(5);
            clock.set_by(-wrong);
            let ticket = issuer.issue(bearer(), clock.now()).unwrap();
            tickets.admit(&ticket, &keys).await.unwrap();
            // Back to the time of the first, which was used.
            clock.set_by(wrong);
            assert_eq!(tickets.admit(&first, &keys).await.unwrap_err().0, ErrorCode::TicketUsed, "{wrong}");
            clock.set_by(-wrong);
            assert_eq!(tickets.admit(&ticket, &keys).await.unwrap_err().0, ErrorCode::TicketUsed, "{wrong}");
            clock.forward(90);
            for _ in 0..4 {
                let ticket = issuer.issue(bearer(), clock.now()).unwrap();
                tickets.admit(&ticket, &keys).await.expect("those from before are forgotten, whatever the clock shows");
            }
            assert_eq!(tickets.admit(&ticket, &keys).await.unwrap_err().0, ErrorCode::TicketExpired, "{wrong}");
        }
    }
}
