//! A double of Cloudflare's API, as far as a named tunnel needs it: zones, tunnels with their configuration and token, and
//! DNS records.
//!
//! It does what <https://developers.cloudflare.com/api/> documents, and answers with Cloudflare's own codes. Requests that the
//! documentation does not know (another path, a missing or an unknown member) are kept as mistakes.

mod answers;
mod faults;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Extracted;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::AbortHandle;

pub use faults::Fault;

/// The API token that may do everything.
pub const TOKEN: &str = "an-api-token-that-nobody-may-see";
/// An API token that may only change tunnels.
pub const NARROW_TOKEN: &str = "an-api-token-for-tunnels-alone";
/// A token that may read everything, and change nothing.
pub const READING_TOKEN: &str = "an-api-token-for-looking-around";
/// The account with the zone `example.org`.
pub const ACCOUNT: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
/// Another account.
pub const OTHER_ACCOUNT: &str = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b";

/// A zone.
#[derive(Clone, Debug)]
pub struct Zone {
    /// Its id.
    pub id: String,
    /// Its domain.
    pub name: &'static str,
    /// Its account.
    pub account: &'static str,
    /// `active` or `pending`.
    pub status: &'static str,
}

/// A tunnel.
#[derive(Clone, Debug)]
pub struct Tunnel {
    /// Its id.
    pub id: String,
    /// Its account.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Whether it was deleted: Cloudflare keeps it.
    pub is_deleted: bool,
    /// Its configuration.
    pub config: Value,
    /// Whether Cloudflare counts a connector as connected.
    pub is_connected: bool,
}

impl Tunnel {
    /// The token with which `cloudflared` runs it, in Cloudflare's form.
    pub fn token(&self) -> String {
        use base64::Engine as _;
        let secret = base64::engine::general_purpose::STANDARD.encode(format!("the secret of {}", self.id));
        let token = json!({ "a": self.account, "t": self.id, "s": secret });
        base64::engine::general_purpose::STANDARD.encode(token.to_string())
    }
}

/// A DNS record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its id.
    pub id: String,
    /// Its zone.
    pub zone: String,
    /// Its type.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Where it leads.
    pub content: String,
    /// Whether browsers connect to Cloudflare.
    pub proxied: bool,
    /// Its comment.
    pub comment: String,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its method and path, without the query.
    pub what: String,
    /// When it came.
    pub at: Instant,
}

impl Asked {
    /// Whether it changes something.
    pub fn changes(&self) -> bool {
        !self.what.starts_with("GET ")
    }
}

/// What Cloudflare has.
#[derive(Debug, Default)]
pub struct State {
    /// The zones.
    pub zones: Vec<Zone>,
    /// The tunnels, deleted ones too.
    pub tunnels: Vec<Tunnel>,
    /// The records.
    pub records: Vec<Record>,
    /// The requests.
    pub asked: Vec<Asked>,
    /// Requests that the documentation does not allow.
    pub mistakes: Vec<String>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// The last number of an id.
    numbers: u64,
}

impl State {
    /// Returns the tunnels that exist.
    pub fn live_tunnels(&self) -> Vec<Tunnel> {
        self.tunnels.iter().filter(|tunnel| !tunnel.is_deleted).cloned().collect()
    }

    /// Adds a tunnel, as somebody else would.
    pub fn add_tunnel(&mut self, account: &str, name: &str) -> Tunnel {
        let id = format!("00000000-0000-4000-8000-{:012}", self.number());
        let (account, name) = (account.to_owned(), name.to_owned());
        let tunnel = Tunnel { id, account, name, is_deleted: false, config: Value::Null, is_connected: false };
        self.tunnels.push(tunnel.clone());
        tunnel
    }

    /// Adds a record without a comment, as somebody else would.
    pub fn add_record(&mut self, kind: &str, name: &str, content: &str) {
        let id = self.id();
        let zone = self.zones.iter().find(|zone| name.ends_with(zone.name)).map(|zone| zone.id.clone());
        let (kind, name, content) = (kind.to_owned(), name.to_owned(), content.to_owned());
        let zone = zone.unwrap_or_default();
        self.records.push(Record { id, zone, kind, name, content, proxied: false, comment: String::new() });
    }

    /// Returns the requests that changed something since the last call, and forgets all requests.
    pub fn take_changes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.asked).into_iter().filter(Asked::changes).map(|asked| asked.what).collect()
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn id(&mut self) -> String {
        format!("{:032x}", self.number())
    }
}

/// The double, which stops when this is dropped.
#[derive(Debug)]
pub struct Cloudflare {
    /// The URL at which it listens.
    pub url: String,
    state: Arc<Mutex<State>>,
    serving: AbortHandle,
}

impl Drop for Cloudflare {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Cloudflare {
    /// Starts it with the zones `example.org` and `example.net` in one account.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let url = format!("http://{}/client/v4", listener.local_addr().expect("it has an address"));
        let mut state = State::default();
        for name in ["example.org", "example.net"] {
            let id = state.id();
            state.zones.push(Zone { id, name, account: ACCOUNT, status: "active" });
        }
        let state = Arc::new(Mutex::new(state));
        let router = Router::new().fallback(serve).with_state(Arc::clone(&state));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Self { url, state, serving }
    }

    /// Returns what it has.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a command the way to it, with a token that may do everything.
    pub fn of(&self, mut command: Command) -> Command {
        command.env("CLOUDFLARE_BASE_URL", &self.url).env("CLOUDFLARE_API_TOKEN", TOKEN);
        command
    }
}

async fn serve(
    Extracted(state): Extracted<Arc<Mutex<State>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let path = uri.path().strip_prefix("/client/v4").unwrap_or_default().to_owned();
    let what = format!("{method} {path}");
    state.asked.push(Asked { what: what.clone(), at: Instant::now() });
    if let Some(refused) = faults::before(&mut state, &what) {
        return refused;
    }
    let answer = answers::answer(&mut state, &method, &path, uri.query().unwrap_or_default(), &headers, &body);
    faults::after(&mut state, &what).unwrap_or(answer)
}
