//! `PATCH /me`: changes the signed-in account.

use axum::Json;

use super::me::me;
use crate::body::Body;
use crate::error::{ApiResult, Refusals};
use crate::session::SignedIn;
use crate::state::State;
use crate::types::{ChangeMe, ErrorBody, Me};
use peersync_server::display_name::DisplayName;

/// Changes name or visibility.
#[utoipa::path(
    patch, path = "/me", request_body = ChangeMe, security(("session" = [])),
    responses(
        (status = 200, description = "The account as it is now.", body = Me),
        (status = 401, description = "Nobody is signed in.", body = ErrorBody),
        Refusals
    )
)]
pub(crate) async fn handle(state: State, signed_in: SignedIn, Body(request): Body<ChangeMe>) -> ApiResult<Json<Me>> {
    let mut user = signed_in.user;
    if let Some(name) = request.name {
        user.name = DisplayName::parse(&name)?.as_str().to_owned();
    }
    user.hidden = request.hidden.unwrap_or(user.hidden);
    state.store().change_user(&user.email, &user.name, user.hidden).await?;
    Ok(Json(me(&user)))
}
