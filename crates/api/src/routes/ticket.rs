//! `POST /ticket`: a ticket for the signaling server, and the TURN servers.

use axum::Json;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::body::Body;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult, Refusals};
use crate::ice_servers::ice_servers;
use crate::session::SignedIn;
use crate::state::State;
use crate::types::{ErrorBody, TicketAnswer, TicketRequest};
use peersync_server::display_name::DisplayName;
use peersync_server::store::session_id;
use peersync_server::tickets::Bearer;

/// A ticket for a user, or for a guest of a room.
#[utoipa::path(
    post, path = "/ticket", request_body = TicketRequest, security((), ("session" = [])),
    responses(
        (status = 200, description = "Where to connect, and with what.", body = TicketAnswer),
        (status = 401, description = "Neither signed in nor a guest of a room.", body = ErrorBody),
        (status = 404, description = "No such room, or none any more.", body = ErrorBody),
        Refusals
    )
)]
pub(crate) async fn handle(
    state: State,
    caller: Caller,
    Body(request): Body<TicketRequest>,
) -> ApiResult<Json<TicketAnswer>> {
    let signed_in = SignedIn::find(&state, &caller).await?;
    match &signed_in {
        // Users count by account: a whole school may share an address.
        Some(signed_in) => state.check_limit(state.limits().tickets, &signed_in.user.email).await?,
        None if request.room.is_none() => return Err(ApiError::unauthorized()),
        None => {
            let charges = state.client(&caller).await?.charges(state.limits().guest_tickets);
            state.check_limits(charges).await?.keep();
        }
    }
    if let Some(room) = &request.room {
        state.store().room(room, state.now()).await?.ok_or_else(ApiError::no_room)?;
    }
    let bearer = match signed_in {
        Some(SignedIn { user, token }) => Bearer {
            subject: user.email,
            address: Some(user.address),
            name: user.name,
            guest: false,
            generation: Some(user.generation),
            session: Some(session_id(&token)),
            room: request.room,
        },
        None => guest(request)?,
    };
    let site = caller.site(state.settings());
    let url = match site.signal_url(state.settings()) {
        // Behind a quick tunnel only the host knows its address, which changes.
        url if url.is_empty() => state.store().signal_address(state.now()).await?.ok_or_else(ApiError::unavailable)?,
        url => url,
    };
    let secrets = state.secrets().await?;
    let servers = ice_servers(&state, &site.turn(state.settings()), &secrets, &bearer).await;
    let keys = secrets.ticket_keys(&state.settings().stack, state.now())?;
    let ticket = keys.issue(bearer, state.now()).map_err(|_| ApiError::unavailable())?;
    Ok(Json(TicketAnswer { url, ticket, ice_servers: servers.list, ttl: servers.ttl }))
}

fn guest(request: TicketRequest) -> ApiResult<Bearer> {
    let name = DisplayName::parse(request.name.as_deref().unwrap_or_default())?;
    let subject = format!("guest:{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>()));
    Ok(Bearer {
        subject,
        address: None,
        name: name.as_str().to_owned(),
        guest: true,
        generation: None,
        session: None,
        room: request.room,
    })
}
