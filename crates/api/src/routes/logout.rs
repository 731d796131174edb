//! `POST /logout`: ends this session, or all sessions of the account.

use axum::http::StatusCode;

use crate::body::Body;
use crate::caller::Caller;
use crate::error::{ApiResult, Refusals};
use crate::session::{SESSION_COOKIE, SignedIn};
use crate::state::State;
use crate::types::{ErrorBody, LogoutRequest};

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
    if request.everywhere {
        state.store().end_all_sessions(&signed_in.user.email).await?;
    }
    state.store().end_session(&signed_in.token).await?;
    caller.clear_cookie(SESSION_COOKIE);
    Ok(StatusCode::NO_CONTENT)
}
