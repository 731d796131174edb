//! `GET /me`: the signed-in account.

use axum::Json;

use crate::error::Refusals;
use crate::session::SignedIn;
use crate::types::{ErrorBody, Me};
use peersync_server::store::User;

/// Returns the account as its owner sees it.
pub(super) fn me(user: &User) -> Me {
    Me { email: user.address.clone(), name: user.name.clone(), hidden: user.hidden, created_at: user.created_at }
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
pub(crate) async fn handle(signed_in: SignedIn) -> Json<Me> {
    Json(me(&signed_in.user))
}
