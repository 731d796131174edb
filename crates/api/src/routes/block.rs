//! `POST /block`: blocks another user, who is not told.

use axum::http::StatusCode;

use crate::body::Body;
use crate::error::{ApiError, ApiResult, Refusals};
use crate::session::SignedIn;
use crate::state::State;
use crate::types::{BlockRequest, ErrorBody};
use peersync_server::email_address::Email;
use peersync_server::store::Operation;

/// Blocks somebody, with or without an account. `DELETE /friends/{email}` lifts it.
#[utoipa::path(
    post, path = "/block", request_body = BlockRequest, security(("session" = [])),
    responses(
        (status = 204, description = "Blocked."),
        (status = 401, description = "Nobody is signed in.", body = ErrorBody),
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
    if let Some(former) = email.former_key() {
        state.store().connect(Operation::Remove, me, &former, None, now).await?;
    }
    let changed = state.store().connect(Operation::Block, me, email.as_str(), None, now).await?;
    changed.map(|_| StatusCode::NO_CONTENT).ok_or_else(ApiError::unauthorized)
}
