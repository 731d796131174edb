//! Whether a client's account is still signed in. The server is told soon after that has ended; where a client acts in the
//! name of the account, it asks.

use super::farewell::{CloseReason, SIGNED_OUT};
use crate::directory::Away;
use crate::protocol::{ErrorCode, Refused, close};
use crate::session::Identity;
use crate::shared::Shared;

/// What a client hears while the database does not answer.
pub const AWAY: Refused = Refused(
    ErrorCode::DirectoryUnavailable,
    "accounts, friends and rooms cannot be looked up at the moment; try again in a few seconds",
);

/// Whether a client's account is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is, or the client is a guest.
    Valid,
    /// It has signed out everywhere since the ticket was issued, or was deleted.
    SignedOut,
    /// DynamoDB does not answer.
    Unknown,
}

impl Standing {
    /// Looks up the account, unless that happened shortly before.
    pub async fn of(who: &Identity, shared: &Shared) -> Self {
        if shared.hub.lock().has_signed_out(who) {
            return Self::SignedOut;
        }
        // Tickets of an earlier version of the API do not have it. They are valid for a minute.
        let (Some(email), Some(generation)) = (&who.email, &who.generation) else { return Self::Valid };
        match shared.directory.generation(email).await {
            Ok(Some(now)) if now == *generation => Self::Valid,
            Ok(_) => Self::SignedOut,
            Err(Away) => Self::Unknown,
        }
    }

    /// Returns why a new session is refused, if it is.
    ///
    /// # Errors
    /// The account is not signed in, or that is not known.
    pub fn admit(self) -> Result<(), CloseReason> {
        match self {
            Self::Valid => Ok(()),
            Self::SignedOut => Err(CloseReason::Close(close::SIGNED_OUT, Some(SIGNED_OUT))),
            Self::Unknown => Err(CloseReason::Close(close::TRY_LATER, Some(AWAY))),
        }
    }
}
