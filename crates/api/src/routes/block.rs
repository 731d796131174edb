//! `POST /block`: blocks another user, who is not told.

use axum::http::StatusCode;

use crate::body::Body;
use crate::error::{ApiError, ApiResult, Refusals};
use crate::session::SignedIn;
use crate::state::State;
use crate::types::{BlockRequest, ErrorBody};
use peersync_server::email_address::Email;
use peersync_server::store::{Operation, Status};

/// Checks that the user's list has a place for one more row. A list without end would slow down everybody who is asked
/// about it, above all the signaling server.
///
/// # Errors
/// 409 if the list is full; 503 if the database is unavailable.
pub(super) async fn check_rows(state: &State, me: &str, other: &str) -> ApiResult<()> {
    let (row, rows) = futures::try_join!(state.store().connection(me, other), state.store().own_rows(me))?;
    let is_new = row.is_none_or(|row| row.status == Status::Received);
    if is_new && rows >= state.limits().rows_per_user { Err(ApiError::list_full()) } else { Ok(()) }
}

/// Blocks somebody, with or without an account. `DELETE /friends/{email}` lifts it.
#[utoipa::path(
    post, path = "/block", request_body = BlockRequest, security(("session" = [])),
    responses(
        (status = 204, description = "Blocked."),
        (status = 401, description = "Nobody is signed in.", body = ErrorBody),
        (status = 409, description = "The list of people is full.", body = ErrorBody),
        Refusals
    )
)]
pub(crate) async fn handle(
    state: State,
    signed_in: SignedIn,
    Body(request): Body<BlockRequest>,
) -> ApiResult<StatusCode> {
    let (me, now) = (&signed_in.user.email, state.now());
    let email = Email::parse(&request.email)?;
    if email.as_str() == me {
        return Err(ApiError::bad_field("You cannot block yourself."));
    }
    state.check_limit(state.limits().blocks, me).await?;
    check_rows(&state, me, email.as_str()).await?;
    if let Some(former) = email.former_key() {
        state.store().connect(Operation::Remove, me, &former, None, now).await?;
    }
    let changed = state.store().connect(Operation::Block, me, email.as_str(), None, now).await?;
    changed.map(|_| StatusCode::NO_CONTENT).ok_or_else(ApiError::unauthorized)
}
