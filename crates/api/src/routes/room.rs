//! `GET /room/{id}`: a room, for anyone who has its link.

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;

use crate::caller::Caller;
use crate::error::{ApiError, ApiResult, Refusals};
use crate::session::SignedIn;
use crate::state::State;
use crate::types::{ErrorBody, RoomAnswer};
use peersync_server::store::Room;

/// A room. One that never was and one that has ended look the same.
#[utoipa::path(
    get, path = "/room/{id}", params(("id" = String, Path, description = "From the link.")),
    responses(
        (status = 200, description = "The room.", body = RoomAnswer),
        (status = 404, description = "No such room, or none any more.", body = ErrorBody),
        Refusals
    )
)]
pub(crate) async fn handle(
    state: State,
    caller: Caller,
    path: Result<Path<String>, PathRejection>,
) -> ApiResult<Json<RoomAnswer>> {
    let Ok(Path(id)) = path else { return Err(ApiError::no_room()) };
    let room = state.store().room(&id, state.now()).await?.ok_or_else(ApiError::no_room)?;
    let me = SignedIn::find(&state, &caller).await?.map(|signed_in| signed_in.user.email);
    Ok(Json(answer(&state, room, me.as_deref())))
}

/// Returns the room as `me` sees it. Guests are not told whose it is.
pub(super) fn answer(state: &State, room: Room, me: Option<&str>) -> RoomAnswer {
    RoomAnswer {
        owner: me == Some(&room.owner),
        id: room.id,
        name: room.name,
        locked: room.locked,
        expires_at: room.expires_at,
        capacity: state.settings().room_capacity,
    }
}
