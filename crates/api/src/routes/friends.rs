//! `GET /friends`: all friends.

use axum::Json;

use crate::error::{ApiResult, Refusals};
use crate::session::SignedIn;
use crate::state::State;
use crate::types::{ErrorBody, Friend, Friends};
use peersync_server::store::Status;

/// All friends, by name.
#[utoipa::path(
    get, path = "/friends", security(("session" = [])),
    responses(
        (status = 200, description = "All friends.", body = Friends),
        (status = 401, description = "Nobody is signed in.", body = ErrorBody),
        Refusals
    )
)]
pub(crate) async fn handle(state: State, signed_in: SignedIn) -> ApiResult<Json<Friends>> {
    Ok(Json(Friends { friends: people(&state, &signed_in.user.email, Status::Accepted).await? }))
}

/// Returns the users with whom `me` has a connection of this status, with their current names.
pub(super) async fn people(state: &State, me: &str, status: Status) -> ApiResult<Vec<Friend>> {
    let rows = state.store().connections(me).await?;
    let rows: Vec<_> = rows.into_iter().filter(|row| row.status == status).collect();
    let emails: Vec<String> = rows.iter().map(|row| row.target.clone()).collect();
    let users = state.store().users(&emails).await?;
    let people = rows.into_iter().filter_map(|row| {
        let user = users.get(&row.target)?;
        // Until its owner has signed in, anybody may have given an account its name.
        let name = if user.verified_at.is_some() { &user.name } else { &user.address };
        Some(Friend { email: user.address.clone(), name: name.clone(), since: row.timestamp })
    });
    let mut people: Vec<Friend> = people.collect();
    people.sort_by(|a, b| (&a.name, &a.email).cmp(&(&b.name, &b.email)));
    Ok(people)
}
