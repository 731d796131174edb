//! `GET /friends` and `DELETE /friends/{email}`.

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;

use crate::address::Email;
use crate::api::document::Refusals;
use crate::api::error::{ApiError, ApiResult};
use crate::api::session::SignedIn;
use crate::api::state::State;
use crate::api::types::{ErrorBody, Friend, Friends};
use crate::store::{Operation, Status};

/// All friends, by name.
#[utoipa::path(
    get, path = "/friends", security(("session" = [])),
    responses(
        (status = 200, description = "All friends.", body = Friends),
        (status = 401, description = "Nobody is signed in.", body = ErrorBody),
        Refusals
    )
)]
pub(in crate::api) async fn list(state: State, signed_in: SignedIn) -> ApiResult<Json<Friends>> {
    Ok(Json(Friends { friends: people(&state, &signed_in.user.email, Status::Accepted).await? }))
}

/// Those whom `me` is connected with in this way, with the names that they have now.
pub(super) async fn people(state: &State, me: &str, status: Status) -> ApiResult<Vec<Friend>> {
    let rows = state.store().connections(me).await?;
    let rows: Vec<_> = rows.into_iter().filter(|row| row.status == status).collect();
    let emails: Vec<String> = rows.iter().map(|row| row.target.clone()).collect();
    let users = state.store().users(&emails).await?;
    let people = rows.into_iter().filter_map(|row| {
        let user = users.get(&row.target)?;
        Some(Friend { email: row.target, name: user.name.clone(), since: row.timestamp })
    });
    let mut people: Vec<Friend> = people.collect();
    people.sort_by(|a, b| (&a.name, &a.email).cmp(&(&b.name, &b.email)));
    Ok(people)
}

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
pub(in crate::api) async fn remove(
    state: State,
    signed_in: SignedIn,
    path: Result<Path<String>, PathRejection>,
) -> ApiResult<StatusCode> {
    let email = path.ok().and_then(|Path(email)| Email::parse(&email)).ok_or_else(ApiError::email)?;
    let (me, now) = (&signed_in.user.email, state.now());
    let changed = state.store().connect(Operation::Remove, me, email.as_str(), None, now).await?;
    changed.map(|_| StatusCode::NO_CONTENT).ok_or_else(ApiError::unauthorized)
}
