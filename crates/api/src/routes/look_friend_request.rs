//! `POST /look-friend-request`: says who sent the friend request of a mailed link, and changes nothing.
//!
//! The page of the link shows this, so that nobody answers a request under a name that the link was given by others. It
//! is a POST because mail scanners and logs see what is fetched.

use axum::Json;

use crate::body::Body;
use crate::error::{ApiError, ApiResult, Refusals};
use crate::state::State;
use crate::types::{Asker, ErrorBody, FriendLook};
use peersync_server::store::Status;

/// Says who asks, to whoever has the mailed link. The request stays as it is.
#[utoipa::path(
    post, path = "/look-friend-request", request_body = FriendLook,
    responses(
        (status = 200, description = "Who asks.", body = Asker),
        (status = 404, description = "The request was answered or taken back, also if a later one waits.", body = ErrorBody),
        Refusals
    )
)]
pub(crate) async fn handle(state: State, Body(request): Body<FriendLook>) -> ApiResult<Json<Asker>> {
    let store = state.store();
    let token = store.friend_token(&request.token, state.now()).await?.ok_or_else(ApiError::token)?;
    let (row, asker) = futures::try_join!(store.connection(&token.to, &token.from), store.user(&token.from))?;
    let waits = row.is_some_and(|row| row.status == Status::Received && token.answers(&row));
    let asker = asker.filter(|_| waits).ok_or_else(ApiError::no_request)?;
    // Until its owner has signed in, anybody may have given an account its name.
    let name = if asker.verified_at.is_some() { asker.name } else { asker.address.clone() };
    Ok(Json(Asker { email: asker.address, name }))
}
