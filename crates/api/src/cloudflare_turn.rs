//! Credentials for Cloudflare's managed TURN (<https://developers.cloudflare.com/realtime/turn/generate-credentials/>).
//!
//! Cloudflare issues them itself, so the API fetches some with a lifetime of an hour and gives them to everybody until
//! half of it is over. A ticket never fails for lack of them: without TURN most calls connect all the same.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::{Client, StatusCode, redirect};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use crate::types::IceServer;
use peersync_server::secrets::Secret;
use peersync_server::turn_credentials::TURN_SECONDS;

/// The timeout of a request. A person waits for it, and the call may succeed without.
const DEADLINE: Duration = Duration::from_secs(2);
/// The number of seconds without a request after one that failed.
const PAUSE_SECONDS: i64 = 15;
/// The largest answer that is read, in bytes. Cloudflare's has about 700.
const LARGEST_ANSWER: usize = 64 * 1024;
/// The port of DNS, on which Cloudflare offers TURN too. Browsers refuse it and lose time with it, as its documentation
/// says.
const REFUSED_PORT: &str = ":53";

/// The account at Cloudflare.
pub(crate) struct Account<'a> {
    /// The URL of the API.
    pub url: &'a str,
    /// The id of the key.
    pub key_id: &'a Secret,
    /// The API token of the key.
    pub api_token: &'a Secret,
}

/// Servers with credentials that were fetched.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The STUN and TURN servers.
    pub servers: Vec<IceServer>,
    /// When the credentials expire, in seconds since 1970.
    pub expires: i64,
}

/// The servers that were fetched last.
#[derive(Debug, Default)]
pub(crate) struct CloudflareTurn {
    client: OnceLock<Option<Client>>,
    /// Held during a request: they are made one at a time.
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    fetched: Option<Arc<Fetched>>,
    /// The id of the key and the token with which they were fetched.
    used: Option<[Secret; 2]>,
    /// When the last request failed, in seconds since 1970.
    failed_at: Option<i64>,
}

/// Why no credentials could be fetched. It contains neither the id nor the token.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("TLS cannot be set up")]
    Tls,
    #[error("the id of the key has characters other than letters, digits, hyphens and underscores")]
    KeyId,
    #[error("no answer within {} s", DEADLINE.as_secs())]
    NoAnswer,
    #[error("the answer has status {0}")]
    Status(StatusCode),
    #[error("the answer is not a list of servers with a TURN server among them")]
    Malformed,
}

impl CloudflareTurn {
    /// Returns servers whose credentials are valid at the time `now` (in seconds since 1970): those that were fetched
    /// before, or new ones if half of their life is over. A failure is logged; then the old ones are returned as long as
    /// they are valid.
    pub(crate) async fn servers(&self, account: &Account<'_>, now: i64) -> Option<Arc<Fetched>> {
        let mut known = self.known.lock().await;
        let used = [account.key_id.clone(), account.api_token.clone()];
        if known.used.as_ref() != Some(&used) {
            *known = Known { used: Some(used), ..Known::default() };
        }
        let valid = known.fetched.clone().filter(|fetched| now < fetched.expires);
        let fresh = valid.as_ref().is_some_and(|fetched| now < fetched.expires - TURN_SECONDS / 2);
        let paused = known.failed_at.is_some_and(|failed| (failed..failed + PAUSE_SECONDS).contains(&now));
        if fresh || paused {
            return valid;
        }
        match self.fetch(account).await {
            Ok(servers) => {
                known.failed_at = None;
                known.fetched = Some(Arc::new(Fetched { servers, expires: now + TURN_SECONDS }));
                known.fetched.clone()
            }
            Err(error) => {
                known.failed_at = Some(now);
                tracing::error!(%error, "no TURN credentials from Cloudflare; check [turn] in peersync.toml");
                valid
            }
        }
    }

    async fn fetch(&self, account: &Account<'_>) -> Result<Vec<IceServer>, FetchError> {
        let client = self.client.get_or_init(client).as_ref().ok_or(FetchError::Tls)?;
        let request = client
            .post(endpoint(account)?)
            .bearer_auth(account.api_token.reveal())
            .json(&json!({ "ttl": TURN_SECONDS }));
        let mut answer = request.send().await.map_err(|_| FetchError::NoAnswer)?;
        if !answer.status().is_success() {
            return Err(FetchError::Status(answer.status()));
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|_| FetchError::NoAnswer)? {
            body.extend_from_slice(&part);
            if body.len() > LARGEST_ANSWER {
                return Err(FetchError::Malformed);
            }
        }
        usable(&body).ok_or(FetchError::Malformed)
    }
}

/// Returns where credentials are generated.
fn endpoint(account: &Account<'_>) -> Result<String, FetchError> {
    let key_id = account.key_id.reveal();
    if key_id.is_empty() || !key_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        return Err(FetchError::KeyId);
    }
    Ok(format!("{}/v1/turn/keys/{key_id}/credentials/generate-ice-servers", account.url))
}

fn client() -> Option<Client> {
    // A second installation fails and keeps the first, which is identical.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().timeout(DEADLINE).redirect(redirect::Policy::none()).build().ok()
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "iceServers")]
    ice_servers: Vec<IceServer>,
}

/// Returns the servers of an answer that a browser can use; `None` if no TURN server is among them.
fn usable(body: &[u8]) -> Option<Vec<IceServer>> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let mut servers = answer.ice_servers;
    for server in &mut servers {
        server.urls.retain(|url| is_usable(url));
    }
    servers.retain(|server| !server.urls.is_empty());
    let relays = |server: &IceServer| server.username.is_some() && server.credential.is_some();
    servers.iter().any(relays).then_some(servers)
}

fn is_usable(url: &str) -> bool {
    let server = url.split('?').next().unwrap_or_default();
    ["stun:", "turn:", "turns:"].iter().any(|scheme| url.starts_with(scheme)) && !server.ends_with(REFUSED_PORT)
}

#[cfg(test)]
mod tests {
    use super::{Account, endpoint, usable};
    use peersync_server::secrets::Secret;

    #[test]
    fn id_that_is_no_id_is_not_put_into_a_url() {
        for (id, is_id) in
            [("0a1B-_", true), ("", false), ("../x", false), ("a?b", false), ("a b", false), ("ä", false)]
        {
            let (key_id, api_token) = (Secret::new(id), Secret::new("t"));
            let account = Account { url: "https://example.org", key_id: &key_id, api_token: &api_token };
            assert_eq!(endpoint(&account).is_ok(), is_id, "{id}");
        }
    }

    #[test]
    fn answer_without_a_turn_server_is_refused() {
        for body in [
            "",
            "[]",
            r#"{"iceServers":{}}"#,
            r#"{"iceServers":[]}"#,
            r#"{"iceServers":[{"urls":["stun:stun.cloudflare.com:3478"]}]}"#,
            r#"{"iceServers":[{"urls":["turn:turn.cloudflare.com:53"],"username":"u","credential":"c"}]}"#,
            r#"{"iceServers":[{"urls":["https://turn.cloudflare.com"],"username":"u","credential":"c"}]}"#,
        ] {
            assert!(usable(body.as_bytes()).is_none(), "{body}");
        }
    }
}
