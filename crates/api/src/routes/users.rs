//! `GET /users?query=`: finds users by the whole address or the beginning of the name.
//!
//! A search is an oracle for who has an account. So it is throttled, masks addresses, and leaves out hidden users and
//! those who never verified their address.

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::{ApiError, ApiResult, Refusals};
use crate::session::SignedIn;
use crate::state::State;
use crate::throttle::Charge;
use crate::types::{ErrorBody, FoundUser, FoundUsers};
use peersync_server::email_address::{Email, masked};
use peersync_server::store::User;

/// The maximum number of users in a result.
const MAX_RESULTS: i32 = 20;
/// The maximum length of a query in characters.
const MAX_QUERY: usize = 254;

/// What is searched for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// A whole address, or two characters or more from the beginning of a name.
    #[param(min_length = 2, max_length = 254)]
    query: String,
}

/// Finds people.
#[utoipa::path(
    get, path = "/users", params(Search), security(("session" = [])),
    responses(
        (status = 200, description = "Who was found.", body = FoundUsers),
        (status = 401, description = "Nobody is signed in.", body = ErrorBody),
        Refusals
    )
)]
pub(crate) async fn handle(
    state: State,
    signed_in: SignedIn,
    query: Result<Query<Search>, QueryRejection>,
) -> ApiResult<Json<FoundUsers>> {
    let Query(Search { query }) = query.map_err(|_| ApiError::bad_field("Send what to search for as query."))?;
    let (query, me) = (query.trim(), &signed_in.user.email);
    if !(2..=MAX_QUERY).contains(&query.chars().count()) {
        return Err(ApiError::bad_field("Search for 2 to 254 characters."));
    }
    let limits = [state.limits().searches, state.limits().searches_per_day];
    state.check_limits(limits.map(|limit| Charge::of(limit, me)).into()).await?.keep();
    let address = Email::parse(query);
    let found = match &address {
        Ok(address) => state.store().user(address.as_str()).await?.into_iter().collect(),
        Err(_) if query.contains('@') => Vec::new(),
        Err(_) => state.store().users_by_name(query, MAX_RESULTS).await?,
    };
    let found: Vec<User> = found.into_iter().filter(|user| is_shown(user) && user.email != *me).collect();
    let emails: Vec<String> = found.iter().map(|user| user.email.clone()).collect();
    let rows = state.store().connections_to(me, &emails).await?;
    let users = found.into_iter().map(|user| {
        let row = rows.iter().find(|row| row.target == user.email);
        FoundUser {
            id: id_of(&user),
            status: row.map_or("none", |row| row.status.as_str()).to_owned(),
            email: if address.is_ok() { user.address } else { masked(&user.address) },
            name: user.name,
        }
    });
    Ok(Json(FoundUsers { users: users.collect() }))
}

fn is_shown(user: &User) -> bool {
    user.verified_at.is_some() && !user.hidden && !user.deleting
}

/// Returns the random id and the name: enough to find the account through the index, without its address.
fn id_of(user: &User) -> String {
    format!("{}.{}", user.public_id, URL_SAFE_NO_PAD.encode(&user.name))
}

/// Returns the account with this id.
///
/// # Errors
/// The id is malformed, or the database is unavailable.
pub(super) async fn by_id(state: &State, id: &str) -> ApiResult<Option<User>> {
    let malformed = || ApiError::bad_field("toId is not an id from a search.");
    let (public_id, name) = id.split_once('.').ok_or_else(malformed)?;
    let name = URL_SAFE_NO_PAD.decode(name).map_err(|_| malformed())?;
    let name = String::from_utf8(name).map_err(|_| malformed())?;
    if public_id.is_empty() || name.is_empty() || name.chars().count() > MAX_QUERY {
        return Err(malformed());
    }
    Ok(state.store().user_by_public_id(&name, public_id).await?.filter(is_shown))
}
