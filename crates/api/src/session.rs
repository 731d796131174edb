//! The signed-in user.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::state::State;
use peersync_server::store::{Session, User};

/// The session's cookie. The prefix makes browsers insist on Secure, this host and the whole path.
pub const SESSION_COOKIE: &str = "__Host-session";
/// How long a session lasts after its last use, in seconds.
const SESSION_SECONDS: i64 = 30 * 24 * 3600;
/// A session's end is moved at most once in this time, so that not every request writes.
const PROLONG_AFTER: i64 = 24 * 3600;

/// A user with a session that is good.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The account.
    pub user: User,
    /// The cookie's value.
    pub token: String,
}

impl SignedIn {
    /// The user of the caller's session, `None` without a session that is good.
    ///
    /// # Errors
    /// The database is away.
    pub async fn find(state: &State, caller: &Caller) -> ApiResult<Option<Self>> {
        let Some(token) = caller.cookie(SESSION_COOKIE) else { return Ok(None) };
        let now = state.now();
        let Some(session) = state.store().session(&token, now).await? else { return Ok(None) };
        let Some(user) = state.store().user(&session.email).await? else { return Ok(None) };
        if user.generation != session.generation {
            return Ok(None);
        }
        let end = now + SESSION_SECONDS;
        if session.expires_at + PROLONG_AFTER < end && state.store().prolong_session(&token, end, now).await? {
            caller.set_cookies().set(SESSION_COOKIE, &token, SESSION_SECONDS);
        }
        Ok(Some(Self { user, token }))
    }

    /// Begins a session for `user` in the caller's browser.
    ///
    /// # Errors
    /// The database is away.
    pub async fn begin(state: &State, caller: &Caller, user: &User) -> ApiResult<()> {
        let now = state.now();
        let session = Session {
            email: user.email.clone(),
            generation: user.generation.clone(),
            expires_at: now + SESSION_SECONDS,
        };
        let token = state.store().create_session(&session, now).await?;
        caller.set_cookies().set(SESSION_COOKIE, &token, SESSION_SECONDS);
        Ok(())
    }
}

impl FromRequestParts<State> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> ApiResult<Self> {
        Self::find(state, &Caller::of(parts)).await?.ok_or_else(ApiError::unauthorized)
    }
}
