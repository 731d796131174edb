//! `DELETE /me`: deletes the signed-in account.

use axum::http::StatusCode;

use crate::caller::Caller;
use crate::error::{ApiResult, Refusals};
use crate::session::{SESSION_COOKIE, SignedIn};
use crate::state::State;
use crate::types::ErrorBody;

/// Deletes the account and its connections on both sides. Interrupted, it can be repeated: the session goes last.
#[utoipa::path(
    delete, path = "/me", security(("session" = [])),
    responses(
        (status = 204, description = "The account is gone."),
        (status = 401, description = "Nobody is signed in.", body = ErrorBody),
        Refusals
    )
)]
pub(crate) async fn handle(state: State, caller: Caller, signed_in: SignedIn) -> ApiResult<StatusCode> {
    let (store, email) = (state.store(), &signed_in.user.email);
    store.begin_deletion(email, state.now()).await?;
    store.forget(email, state.now()).await?;
    store.delete_user(email).await?;
    store.end_session(&signed_in.token).await?;
    caller.clear_cookie(SESSION_COOKIE);
    Ok(StatusCode::NO_CONTENT)
}
