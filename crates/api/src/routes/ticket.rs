//! `POST /ticket`: a ticket for the signaling server, and the TURN servers.

use axum::Json;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::body::Body;
use crate::caller::Caller;
use crate::display_name::DisplayName;
use crate::error::{ApiError, ApiResult, Refusals};
use crate::session::SignedIn;
use crate::state::State;
use crate::types::{ErrorBody, IceServer, TicketAnswer, TicketRequest};
use peersync_server::tickets::Bearer;
use peersync_server::turn_credentials::{TURN_SECONDS, TurnHolder, turn_credentials};

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
    let client = state.client(&caller).await?;
    state.check_limit(state.limits().tickets, &client).await?;
    let user = SignedIn::find(&state, &caller).await?.map(|signed_in| signed_in.user);
    if user.is_none() && request.room.is_none() {
        return Err(ApiError::unauthorized());
    }
    if let Some(room) = &request.room {
        state.store().room(room, state.now()).await?.ok_or_else(ApiError::no_room)?;
    }
    let bearer = match user {
        Some(user) => Bearer { subject: user.email, name: user.name, guest: false, room: request.room },
        None => guest(request)?,
    };
    let secrets = state.secrets().await?;
    let turn_secret = secrets.turn_secret.as_ref().map(|secret| secret.reveal());
    let ice_servers = ice_servers(&state.settings().turn_urls, turn_secret, &bearer, state.now());
    let keys = secrets.ticket_keys(&state.settings().stack, state.now())?;
    let ticket = keys.issue(bearer, state.now()).map_err(|_| ApiError::unavailable())?;
    Ok(Json(TicketAnswer { url: state.settings().signal_url.clone(), ticket, ice_servers, ttl: TURN_SECONDS }))
}

fn guest(request: TicketRequest) -> ApiResult<Bearer> {
    let name = DisplayName::parse(request.name.as_deref().unwrap_or_default()).ok_or_else(ApiError::name)?;
    let id = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
    Ok(Bearer { subject: format!("guest:{id}"), name: name.as_str().to_owned(), guest: true, room: request.room })
}

/// Returns the configured TURN servers, each of which answers STUN too. Without one the list is empty: a public STUN
/// server would be a third party that learns who calls.
fn ice_servers(turn_urls: &[String], secret: Option<&str>, bearer: &Bearer, now: i64) -> Vec<IceServer> {
    let Some(secret) = secret.filter(|_| !turn_urls.is_empty()) else { return Vec::new() };
    let Some(holder) = turn_holder(bearer) else { return Vec::new() };
    let stun = turn_urls.iter().filter_map(|url| {
        let host = url.strip_prefix("turn:")?.split('?').next()?;
        Some(format!("stun:{host}"))
    });
    let mut stun: Vec<String> = stun.collect();
    stun.dedup();
    let credentials = turn_credentials(secret, now, &holder);
    let turn = IceServer {
        urls: turn_urls.to_vec(),
        username: Some(credentials.username),
        credential: Some(credentials.password.reveal().to_owned()),
    };
    let stun = (!stun.is_empty()).then_some(IceServer { urls: stun, username: None, credential: None });
    stun.into_iter().chain([turn]).collect()
}

/// Returns whom the bearer's relayed traffic counts for. Guests of a room share what it is granted, since a guest's own
/// id is new with every ticket.
fn turn_holder(bearer: &Bearer) -> Option<TurnHolder<'_>> {
    if bearer.guest { bearer.room.as_deref().map(TurnHolder::Room) } else { Some(TurnHolder::User(&bearer.subject)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(guest: bool, room: Option<&str>) -> Bearer {
        let room = room.map(str::to_owned);
        Bearer { subject: "ada@example.org".to_owned(), name: "Ada".to_owned(), guest, room }
    }

    #[test]
    fn each_turn_server_is_also_a_stun_server() {
        let urls = ["turn:t.example:3478?transport=udp", "turn:t.example:3478?transport=tcp", "turns:t.example:5349"];
        let servers = ice_servers(&urls.map(str::to_owned), Some("secret"), &bearer(false, None), 0);
        let stun: Vec<_> = servers.iter().filter(|server| server.username.is_none()).collect();
        assert!(matches!(stun.as_slice(), [server] if server.urls == ["stun:t.example:3478"]));
        assert!(servers.iter().any(|server| server.username.is_some() && server.urls == urls));
    }

    #[test]
    fn without_a_secret_or_urls_the_list_is_empty() {
        assert!(ice_servers(&["turn:t.example".to_owned()], None, &bearer(false, None), 0).is_empty());
        assert!(ice_servers(&[], Some("secret"), &bearer(false, None), 0).is_empty());
    }

    #[test]
    fn traffic_counts_for_the_user_or_for_the_guests_of_a_room() {
        assert_eq!(turn_holder(&bearer(false, Some("R"))), Some(TurnHolder::User("ada@example.org")));
        assert_eq!(turn_holder(&bearer(true, Some("R"))), Some(TurnHolder::Room("R")));
        assert_eq!(turn_holder(&bearer(true, None)), None, "a guest without a room gets no credentials");
    }
}
