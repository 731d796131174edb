//! `POST /respond-friend-request`: accepts or rejects a friend request, signed in or by the mailed link.

use axum::Json;

use crate::body::Body;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult, Refusals};
use crate::session::SignedIn;
use crate::state::State;
use crate::types::{Action, ErrorBody, FriendAnswer, Standing};
use peersync_server::email_address::Email;
use peersync_server::store::{Operation, Outcome, Status};

/// Accepts or rejects a friend request. The mailed link works once.
#[utoipa::path(
    post, path = "/respond-friend-request", request_body = FriendAnswer, security((), ("session" = [])),
    responses(
        (status = 200, description = "Answered.", body = Standing),
        (status = 401, description = "Nobody is signed in, and no token was sent.", body = ErrorBody),
        (status = 404, description = "Nobody has asked.", body = ErrorBody),
        Refusals
    )
)]
pub(crate) async fn handle(
    state: State,
    caller: Caller,
    Body(request): Body<FriendAnswer>,
) -> ApiResult<Json<Standing>> {
    let (operation, status) = match request.action {
        Action::Accept => (Operation::Accept, Status::Accepted),
        Action::Reject => (Operation::Reject, Status::Rejected),
    };
    let (store, now) = (state.store(), state.now());
    let changed = if let Some(token) = request.token {
        let token = store.friend_token(&token, now).await?.ok_or_else(ApiError::token)?;
        let changed = store.connect(operation, &token.to, &token.from, Some(&token), now).await?;
        changed.ok_or_else(ApiError::token)?
    } else {
        let me = SignedIn::find(&state, &caller).await?.ok_or_else(ApiError::unauthorized)?.user.email;
        let from = request.from_email.ok_or_else(|| ApiError::bad_field("Send fromEmail or token."))?;
        let from = Email::parse(&from)?;
        let changed = store.connect(operation, &me, from.as_str(), None, now).await?;
        changed.ok_or_else(ApiError::unauthorized)?
    };
    match changed.outcome {
        Outcome::NoRequest => Err(ApiError::no_request()),
        Outcome::Keep | Outcome::Change(_) => Ok(Json(Standing { status: status.as_str().to_owned() })),
    }
}
