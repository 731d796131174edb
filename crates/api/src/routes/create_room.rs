//! `POST /create-room`: a room for 24 hours, open to anyone who has its link.

use axum::Json;
use axum::http::StatusCode;

use super::room::answer;
use crate::body::Body;
use crate::error::{ApiResult, Refusals};
use crate::session::SignedIn;
use crate::state::State;
use crate::types::{ErrorBody, RoomAnswer, RoomRequest};
use peersync_server::display_name::DisplayName;

/// Makes a room.
#[utoipa::path(
    post, path = "/create-room", request_body = RoomRequest, security(("session" = [])),
    responses(
        (status = 201, description = "The room.", body = RoomAnswer),
        (status = 401, description = "Nobody is signed in.", body = ErrorBody),
        Refusals
    )
)]
pub(crate) async fn handle(
    state: State,
    signed_in: SignedIn,
    Body(request): Body<RoomRequest>,
) -> ApiResult<(StatusCode, Json<RoomAnswer>)> {
    let name = DisplayName::parse_title(&request.name)?;
    let me = &signed_in.user.email;
    state.check_limit(state.limits().rooms, me).await?;
    let room = state.store().create_room(name.as_str(), me, request.locked, state.now()).await?;
    Ok((StatusCode::CREATED, Json(answer(&state, room, Some(me)))))
}
