//! The signed-in user.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::caller::{Caller, Cookie};
use crate::error::{ApiError, ApiResult};
use crate::state::State;
use peersync_server::settings::Function;
use peersync_server::store::{Session, User};

/// The session's cookie.
pub const SESSION_COOKIE: Cookie = Cookie { secure: "__Host-session", plain: "peersync-session" };
/// The lifetime of a session after its last use, in seconds.
const SESSION_SECONDS: i64 = 30 * 24 * 3600;
/// A session is extended at most once in this many seconds, so that not every request writes.
const EXTEND_AFTER: i64 = 24 * 3600;

/// A user with a valid session.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The account.
    pub user: User,
    /// The cookie's value.
    pub token: String,
}

impl SignedIn {
    /// Returns the user of the caller's session, or `None` without a valid session.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn find(state: &State, caller: &Caller) -> ApiResult<Option<Self>> {
        let Some(token) = caller.cookie(SESSION_COOKIE) else { return Ok(None) };
        let now = state.now();
        let Some(session) = state.store().session(&token, now).await? else { return Ok(None) };
        let user = match state.store().user(&session.email).await? {
            None if matches!(state.settings().function, Function::Login | Function::All) => {
                // It may be of an earlier version. Only this function may move accounts; the pages call it first.
                state.unify_addresses().await;
                state.store().user(&session.email).await?
            }
            user => user,
        };
        let Some(user) = user else { return Ok(None) };
        if user.generation != session.generation {
            return Ok(None);
        }
        let end = now + SESSION_SECONDS;
        if session.expires_at + EXTEND_AFTER < end && state.store().extend_session(&token, end, now).await? {
            caller.set_cookie(SESSION_COOKIE, &token, SESSION_SECONDS);
        }
        Ok(Some(Self { user, token }))
    }

    /// Begins a session for `user` in the caller's browser.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn begin(state: &State, caller: &Caller, user: &User) -> ApiResult<()> {
        let now = state.now();
        let session = Session {
            email: user.email.clone(),
            generation: user.generation.clone(),
            expires_at: now + SESSION_SECONDS,
        };
        let token = state.store().create_session(&session, now).await?;
        caller.set_cookie(SESSION_COOKIE, &token, SESSION_SECONDS);
        Ok(())
    }
}

impl FromRequestParts<State> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> ApiResult<Self> {
        Self::find(state, &Caller::of(parts)).await?.ok_or_else(ApiError::unauthorized)
    }
}
