//! `GET /friend-requests`: the friend requests to the caller.

use axum::Json;

use super::friends::people;
use crate::error::{ApiResult, Refusals};
use crate::session::SignedIn;
use crate::state::State;
use crate::types::{ErrorBody, FriendRequests};
use peersync_server::store::Status;

/// Requests that wait for an answer, by name.
#[utoipa::path(
    get, path = "/friend-requests", security(("session" = [])),
    responses(
        (status = 200, description = "Who asks.", body = FriendRequests),
        (status = 401, description = "Nobody is signed in.", body = ErrorBody),
        Refusals
    )
)]
pub(crate) async fn handle(state: State, signed_in: SignedIn) -> ApiResult<Json<FriendRequests>> {
    Ok(Json(FriendRequests { requests: people(&state, &signed_in.user.email, Status::Received).await? }))
}
