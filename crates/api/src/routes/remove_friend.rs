//! `DELETE /friends/{email}`: ends a friendship, withdraws a request, or lifts a block.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use peersync_server::store::Operation;

use crate::error::{ApiError, ApiResult, Refusals};
use crate::session::SignedIn;
use crate::state::State;
use crate::types::ErrorBody;
use peersync_server::email_address::Email;

/// Ends a friendship on both sides, takes a request back, or lifts a block. Does nothing where there is none.
#[utoipa::path(
    delete, path = "/friends/{email}", security(("session" = [])),
    params(("email" = String, Path, description = "Address of the other.", format = "email", max_length = 254)),
    responses(
        (status = 204, description = "There is no connection any more."),
        (status = 401, description = "Nobody is signed in.", body = ErrorBody),
        Refusals
    )
)]
pub(crate) async fn handle(
    state: State,
    signed_in: SignedIn,
    path: Result<Path<String>, PathRejection>,
) -> ApiResult<StatusCode> {
    let Ok(Path(email)) = path else { return Err(ApiError::email()) };
    let email = Email::parse(&email)?;
    let (me, now) = (&signed_in.user.email, state.now());
    if let Some(former) = email.former_key() {
        state.store().connect(Operation::Remove, me, &former, None, now).await?;
    }
    let changed = state.store().connect(Operation::Remove, me, email.as_str(), None, now).await?;
    changed.map(|_| StatusCode::NO_CONTENT).ok_or_else(ApiError::unauthorized)
}
