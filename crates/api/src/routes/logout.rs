//! `POST /logout`: ends this session, or all sessions of the account.

use axum::http::StatusCode;

use crate::body::Body;
use crate::caller::Caller;
use crate::error::{ApiResult, Refusals};
use crate::session::{SESSION_COOKIE, SignedIn};
use crate::state::State;
use crate::types::{ErrorBody, LogoutRequest};
use peersync_server::store::{Notice, session_id};

/// Ends this session; with `everywhere` those on all devices.
#[utoipa::path(
    post, path = "/logout", request_body = LogoutRequest, security(("session" = [])),
    responses(
        (status = 204, description = "Signed out."),
        (status = 401, description = "Nobody is signed in.", body = ErrorBody),
        Refusals
    )
)]
pub(crate) async fn handle(
    state: State,
    caller: Caller,
    signed_in: SignedIn,
    Body(request): Body<LogoutRequest>,
) -> ApiResult<StatusCode> {
    let (store, SignedIn { user, token }, now) = (state.store(), signed_in, state.now());
    if request.everywhere {
        store.end_all_sessions(&user.email, now).await?;
    } else {
        store.announce(&Notice::Session(user.email, session_id(&token)), now).await?;
    }
    store.end_session(&token).await?;
    caller.clear_cookie(SESSION_COOKIE);
    Ok(StatusCode::NO_CONTENT)
}
