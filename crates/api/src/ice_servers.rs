//! The STUN and TURN servers that a page is told, with credentials for whoever holds its ticket.

use crate::cloudflare_turn::Account;
use crate::state::State;
use crate::types::IceServer;
use peersync_server::secrets::Secrets;
use peersync_server::settings::{TurnProvider, TurnSettings};
use peersync_server::tickets::Bearer;
use peersync_server::turn_credentials::{TURN_SECONDS, TurnHolder, turn_credentials};

/// STUN and TURN servers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct IceServers {
    /// The servers.
    pub list: Vec<IceServer>,
    /// The lifetime of their credentials in seconds.
    pub ttl: i64,
}

/// Returns the servers for the bearer of a ticket. Without a TURN server, or if it cannot be used at present, these are
/// the STUN servers alone.
pub(crate) async fn ice_servers(state: &State, turn: &TurnSettings, secrets: &Secrets, bearer: &Bearer) -> IceServers {
    let now = state.now();
    let Some(holder) = turn_holder(bearer) else { return stun_alone(turn) };
    match turn.provider {
        TurnProvider::None => stun_alone(turn),
        TurnProvider::Host | TurnProvider::Own => shared(turn, secrets, &holder, now),
        TurnProvider::Cloudflare => cloudflare(state, turn, secrets, now).await,
    }
}

/// Returns whom the bearer's relayed traffic counts for. Guests of a room share what it is granted, since a guest's own
/// id is new with every ticket.
fn turn_holder(bearer: &Bearer) -> Option<TurnHolder<'_>> {
    if bearer.guest {
        return bearer.room.as_deref().map(TurnHolder::Room);
    }
    Some(TurnHolder::User { email: &bearer.subject, generation: bearer.generation.as_deref().unwrap_or_default() })
}

/// Returns the servers with which the API shares a secret.
fn shared(turn: &TurnSettings, secrets: &Secrets, holder: &TurnHolder<'_>, now: i64) -> IceServers {
    let secret = secrets.turn_signing_secret(now).filter(|_| !turn.urls.is_empty());
    let Some(secret) = secret else { return stun_alone(turn) };
    let credentials = turn_credentials(secret.reveal(), now, holder);
    let mut servers = stun_alone(turn);
    servers.list.push(IceServer {
        urls: turn.urls.clone(),
        username: Some(credentials.username),
        credential: Some(credentials.password.reveal().to_owned()),
    });
    servers
}

async fn cloudflare(state: &State, turn: &TurnSettings, secrets: &Secrets, now: i64) -> IceServers {
    let (Some(key_id), Some(api_token)) = (&secrets.turn_key_id, &secrets.turn_api_token) else {
        tracing::error!("the key of Cloudflare's TURN is missing; `peersync-deploy up` brings it");
        return stun_alone(turn);
    };
    let account = Account { url: &turn.cloudflare_url, key_id, api_token };
    let Some(fetched) = state.cloudflare_turn().servers(&account, now).await else { return stun_alone(turn) };
    let mut list = fetched.servers.clone();
    if !turn.stun.is_empty() {
        list.retain(|server| server.credential.is_some());
        list.splice(0..0, stun_alone(turn).list);
    }
    IceServers { list, ttl: fetched.expires - now }
}

/// Returns the STUN servers: those of the settings, or else the TURN servers that take UDP, which answer STUN too. Where
/// only TCP is taken, browsers would wait ten seconds for an answer. No other is added: a public one would be a third party
/// that learns who calls.
fn stun_alone(turn: &TurnSettings) -> IceServers {
    let answering = turn.urls.iter().filter_map(|url| {
        let server = url.strip_prefix("turn:")?;
        let (host, transport) = server.split_once('?').unwrap_or((server, ""));
        (transport != "transport=tcp").then(|| format!("stun:{host}"))
    });
    let mut urls: Vec<String> = if turn.stun.is_empty() { answering.collect() } else { turn.stun.clone() };
    urls.dedup();
    let stun = (!urls.is_empty()).then_some(IceServer { urls, username: None, credential: None });
    IceServers { list: stun.into_iter().collect(), ttl: TURN_SECONDS }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peersync_server::secrets::Secret;

    const USER: TurnHolder<'_> = TurnHolder::User { email: "ada@example.org", generation: "first" };

    fn turn(urls: &[&str], stun: &[&str]) -> TurnSettings {
        let owned = |urls: &[&str]| urls.iter().map(|url| (*url).to_owned()).collect();
        TurnSettings { provider: TurnProvider::Own, urls: owned(urls), stun: owned(stun), ..TurnSettings::default() }
    }

    fn secrets() -> Secrets {
        Secrets { turn_secret: Some(Secret::new("secret")), ..Secrets::default() }
    }

    fn stun_of(servers: &IceServers) -> Vec<&str> {
        let without = servers.list.iter().filter(|server| server.credential.is_none());
        without.flat_map(|server| server.urls.iter().map(String::as_str)).collect()
    }

    #[test]
    fn each_turn_server_that_takes_udp_is_also_a_stun_server() {
        let urls = [
            "turn:t.example:3478?transport=udp",
            "turn:t.example:3478?transport=tcp",
            "turn:t.example:443?transport=tcp",
            "turns:t.example:5349?transport=tcp",
        ];
        let servers = shared(&turn(&urls, &[]), &secrets(), &USER, 0);
        assert_eq!(stun_of(&servers), ["stun:t.example:3478"]);
        assert!(servers.list.iter().any(|server| server.username.is_some() && server.urls == urls));
    }

    #[test]
    fn named_stun_servers_are_used_alone() {
        let servers = shared(&turn(&["turn:t.example"], &["stun:s.example"]), &secrets(), &USER, 0);
        assert_eq!(stun_of(&servers), ["stun:s.example"]);
        assert_eq!(servers.list.len(), 2);
        assert_eq!(stun_of(&stun_alone(&turn(&[], &["stun:s.example"]))), ["stun:s.example"]);
    }

    #[test]
    fn without_a_secret_or_urls_no_credentials_are_given() {
        let relays = |servers: IceServers| servers.list.iter().any(|server| server.credential.is_some());
        assert!(!relays(shared(&turn(&["turn:t.example"], &[]), &Secrets::default(), &USER, 0)));
        assert!(shared(&turn(&[], &[]), &secrets(), &USER, 0).list.is_empty());
    }

    #[test]
    fn traffic_counts_for_the_user_or_for_the_guests_of_a_room() {
        let bearer = |guest, room: Option<&str>| {
            let room = room.map(str::to_owned);
            let (subject, name) = ("ada@example.org".to_owned(), "Ada".to_owned());
            Bearer { subject, address: None, name, guest, generation: Some("first".to_owned()), session: None, room }
        };
        assert_eq!(turn_holder(&bearer(false, Some("R"))), Some(USER));
        assert_eq!(turn_holder(&bearer(true, Some("R"))), Some(TurnHolder::Room("R")));
        assert_eq!(turn_holder(&bearer(true, None)), None, "a guest without a room gets no credentials");
    }
}
