//! `/me`: the own account.

use axum::Json;
use axum::http::StatusCode;

use crate::address::DisplayName;
use crate::api::body::Body;
use crate::api::caller::Caller;
use crate::api::document::Refusals;
use crate::api::error::{ApiError, ApiResult};
use crate::api::session::{SESSION_COOKIE, SignedIn};
use crate::api::state::State;
use crate::api::types::{ChangeMe, ErrorBody, Me};
use crate::store::User;

/// The account as its owner sees it.
pub(super) fn me(user: &User) -> Me {
    Me { email: user.email.clone(), name: user.name.clone(), hidden: user.hidden, created_at: user.created_at }
}

/// Who is signed in.
#[utoipa::path(
    get, path = "/me", security(("session" = [])),
    responses(
        (status = 200, description = "The account.", body = Me),
        (status = 401, description = "Nobody is signed in.", body = ErrorBody),
        Refusals
    )
)]
pub(in crate::api) async fn show(signed_in: SignedIn) -> Json<Me> {
    Json(me(&signed_in.user))
}

/// Changes name or visibility.
#[utoipa::path(
    patch, path = "/me", request_body = ChangeMe, security(("session" = [])),
    responses(
        (status = 200, description = "The account as it is now.", body = Me),
        (status = 401, description = "Nobody is signed in.", body = ErrorBody),
        Refusals
    )
)]
pub(in crate::api) async fn change(
    state: State,
    signed_in: SignedIn,
    Body(request): Body<ChangeMe>,
) -> ApiResult<Json<Me>> {
    let mut user = signed_in.user;
    if let Some(name) = request.name {
        user.name = DisplayName::parse(&name).ok_or_else(ApiError::name)?.as_str().to_owned();
    }
    user.hidden = request.hidden.unwrap_or(user.hidden);
    state.store().change_user(&user.email, &user.name, user.hidden).await?;
    Ok(Json(me(&user)))
}

/// Deletes the account and its connections on both sides. Interrupted, it can be repeated: the session goes last.
#[utoipa::path(
    delete, path = "/me", security(("session" = [])),
    responses(
        (status = 204, description = "The account is gone."),
        (status = 401, description = "Nobody is signed in.", body = ErrorBody),
        Refusals
    )
)]
pub(in crate::api) async fn remove(state: State, caller: Caller, signed_in: SignedIn) -> ApiResult<StatusCode> {
    let (store, email) = (state.store(), &signed_in.user.email);
    store.begin_deletion(email).await?;
    store.forget(email, state.now()).await?;
    store.delete_user(email).await?;
    store.end_session(&signed_in.token).await?;
    caller.set_cookies().clear(SESSION_COOKIE);
    Ok(StatusCode::NO_CONTENT)
}
