//! `POST /logout`: ends this session, or all.

use axum::http::StatusCode;

use crate::api::body::Body;
use crate::api::caller::Caller;
use crate::api::document::Refusals;
use crate::api::error::ApiResult;
use crate::api::session::{SESSION_COOKIE, SignedIn};
use crate::api::state::State;
use crate::api::types::{ErrorBody, LogoutRequest};

/// Ends this session; with `everywhere` those on all devices.
#[utoipa::path(
    post, path = "/logout", request_body = LogoutRequest, security(("session" = [])),
    responses(
        (status = 204, description = "Signed out."),
        (status = 401, description = "Nobody is signed in.", body = ErrorBody),
        Refusals
    )
)]
pub(in crate::api) async fn handle(
    state: State,
    caller: Caller,
    signed_in: SignedIn,
    Body(request): Body<LogoutRequest>,
) -> ApiResult<StatusCode> {
    if request.everywhere {
        state.store().end_all_sessions(&signed_in.user.email).await?;
    }
    state.store().end_session(&signed_in.token).await?;
    caller.set_cookies().clear(SESSION_COOKIE);
    Ok(StatusCode::NO_CONTENT)
}
