//! Re-entry: how a client goes on at the next server without a ticket.
//!
//! Sessions live in one process. When another one takes over (a new host, or a restart), thousands of clients come at once,
//! and the API would refuse most of them a ticket. So the server states, signed with the key of the tickets, who the holder
//! of a session is, and its successor opens a session for the same holder. The statement is a part of `resume`, and renewed
//! while the client is connected, because it is valid for a few minutes only.
//!
//! It also states the session's public id, so that the members of a room, who know each other's former ids, recognise
//! whoever comes back at once, also where no connection between them is left.
//!
//! It gives nobody more than an open connection does. Whoever has signed out is refused as with a ticket: by the generation
//! of the account, and by the notices of the last minutes about ended sign-in sessions. A server never accepts what it has
//! stated itself, and of the statements of one session and all its successors only one: so each ticket of the API leads to
//! one session at each server at most.

use std::time::Duration;

use parking_lot::Mutex;
use peersync_server::clock::Moment;
use peersync_server::tickets::{Bearer, REENTRY_SECONDS, Stated};

use crate::keys::Keys;
use crate::protocol::{ErrorCode, Refused};
use crate::session::{Identity, Session};
use crate::tickets::{SKEW, identity};
use crate::used::Used;

/// The maximum length of a re-entry in bytes.
const MAX_REENTRY: usize = 4096;
/// How long one could be used, and so how long its use is remembered.
const REMEMBERED: Duration = Duration::from_secs((REENTRY_SECONDS + SKEW).unsigned_abs());
/// The subject of a guest.
const GUEST: &str = "guest";

const OVER: Refused =
    Refused(ErrorCode::TicketExpired, "this session cannot be continued here; connect again with a ticket");

/// The re-entries of a server.
#[derive(Debug)]
pub(crate) struct Reentries {
    /// The id of this server.
    server: String,
    used: Mutex<Used>,
    /// The maximum number of used ones.
    most: usize,
    started: Moment,
}

impl Reentries {
    /// Returns the re-entries of a server that starts now and remembers the use of `most`.
    pub(crate) fn new(started: Moment, most: usize) -> Self {
        Self { server: format!("{:032x}", rand::random::<u128>()), used: Mutex::default(), most, started }
    }

    /// Returns the value of `resume` for a session: its key, and a re-entry.
    pub(crate) fn resume(&self, session: &Session, keys: &Keys) -> String {
        let stated = Stated { lineage: &session.who.lineage, server: &self.server, peer: session.peer.to_string() };
        let reentry = keys.issue_reentry(bearer(&session.who), stated);
        format!("{}{}", session.key, reentry.unwrap_or_default())
    }

    /// Verifies a re-entry and marks it as used. Returns whose session it continues.
    ///
    /// # Errors
    /// It is invalid or has expired, was stated by this server, or was used before.
    pub(crate) async fn admit(&self, reentry: &str, keys: &Keys) -> Result<Identity, Refused> {
        let moment = keys.moment();
        if reentry.len() > MAX_REENTRY {
            return Err(OVER);
        }
        let claims = keys.verify_reentry(reentry, moment.clock).await.map_err(|_| OVER)?;
        // One that expires after its use is forgotten could be used twice.
        if claims.server.as_deref() == Some(&*self.server) || claims.exp - moment.clock > REENTRY_SECONDS + SKEW {
            return Err(OVER);
        }
        let passed = self.started.until(&moment);
        let mut used = self.used.lock();
        if used.is_full(self.most, passed) || !used.take(&claims.jti, passed + REMEMBERED) {
            return Err(OVER);
        }
        drop(used);
        let former = claims.peer.as_deref().and_then(|peer| peer.parse().ok());
        Ok(Identity { moved: true, former, ..identity(claims) })
    }
}

fn bearer(who: &Identity) -> Bearer {
    let text = |text: &Option<std::sync::Arc<str>>| text.as_ref().map(ToString::to_string);
    Bearer {
        subject: text(&who.email).unwrap_or_else(|| GUEST.to_owned()),
        address: text(&who.address),
        name: who.name.to_string(),
        guest: who.email.is_none(),
        generation: text(&who.generation),
        session: text(&who.sign_in),
        room: text(&who.room),
    }
}
