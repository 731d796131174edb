//! Who may open the mailbox and the switches: a person or a program on this computer, and nothing that another computer
//! or another page sent. Whoever reads the mail can sign in as anybody.
//!
//! The address of a connection proves little: a tunnel on this computer connects from here too, and so does every page in
//! its browser. So a request must also look as if nobody had passed it on, and as if no other page had sent it.
//! Tunnels of plain TCP (`ssh -R`, `ngrok tcp`, `bore`) leave no trace; for them there is a key, see [`MailKey`].

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CACHE_CONTROL, HOST, ORIGIN, REFERER, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use peersync_server::site::Site;

use super::mail_key::MailKey;
use super::site::{FromThisComputer, is_localhost};

/// Headers that proxies and tunnels add. Each has at least one that adds it whatever `Host` it writes: cloudflared
/// `cf-…`, `cdn-loop` and `x-forwarded-for`; ngrok, localtunnel, Tailscale, VS Code and most others `x-forwarded-…`.
const FORWARDED: [&str; 12] = [
    "cdn-loop",
    "client-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded",
    "forwarded-for",
    "true-client-ip",
    "via",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-real-ip",
    "x-request-start",
];
/// How the names of further ones begin.
const FORWARDED_FAMILIES: [&str; 9] = [
    "cf-",
    "cloudfront-",
    "ngrok-",
    "tailscale-",
    "x-appengine-",
    "x-envoy-",
    "x-forwarded",
    "x-original-",
    "x-tunnel-",
];

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const FETCH_DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// It came from another computer, or names a host that is not this one.
    Elsewhere,
    /// A proxy or a tunnel passed it on.
    Forwarded,
    /// A page of another origin sent it.
    OtherPage,
    /// It lacks the key of `--private-mail`.
    NoKey,
}

impl Refusal {
    /// Returns what the answer says.
    const fn text(self) -> &'static str {
        match self {
            Self::Elsewhere => {
                "The mailbox and the switches are available only on the computer that runs PeerSync, at its own \
                 addresses.\n"
            }
            Self::Forwarded => {
                "The mailbox and the switches are not available through a proxy or a tunnel. Open them at the address \
                 that PeerSync printed.\n"
            }
            Self::NoKey => {
                "Open the mailbox once with the URL that PeerSync printed; its key then opens the switches too.\n"
            }
            Self::OtherPage => "The mailbox and the switches are available only to their own pages.\n",
        }
    }
}

/// Restricts the mailbox and the switches to this computer, even if the pages are served to the network.
pub async fn only_this_computer(State(key): State<Option<MailKey>>, request: Request, next: Next) -> Response {
    let mut response = match checked(&request, key.as_ref()) {
        Ok(None) => next.run(request).await,
        Ok(Some(answer)) => answer,
        Err(refusal) => (StatusCode::FORBIDDEN, refusal.text()).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// Returns the answer that replaces that of the mailbox or the switches, if any.
fn checked(request: &Request, key: Option<&MailKey>) -> Result<Option<Response>, Refusal> {
    if let Some(refusal) = refusal(request) {
        return Err(refusal);
    }
    let Some(key) = key else { return Ok(None) };
    let exchanged = key.exchange(request);
    if exchanged.is_some() || key.admits(request) { Ok(exchanged) } else { Err(Refusal::NoKey) }
}

fn refusal(request: &Request) -> Option<Refusal> {
    let (headers, extensions) = (request.headers(), request.extensions());
    let remote = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let near = remote.is_some_and(|remote| remote.is_loopback()) || extensions.get::<FromThisComputer>().is_some();
    let site = extensions.get::<Site>();
    if !near || !names_this_computer(request, site) {
        return Some(Refusal::Elsewhere);
    }
    if headers.keys().any(|name| is_forwarded(name.as_str())) {
        return Some(Refusal::Forwarded);
    }
    let own = if request.method().is_safe() { may_read(headers, site) } else { may_write(headers, site) };
    (!own).then_some(Refusal::OtherPage)
}

/// Returns whether the request names one host only, and that is this computer: a malicious site could point its own name
/// here.
fn names_this_computer(request: &Request, site: Option<&Site>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    // A request to a proxy has a whole URL in its first line, which counts more than the header.
    let agreed = request.uri().authority().is_none_or(|authority| authority.as_str().as_bytes() == host.as_bytes());
    agreed && (site.is_some() || host.to_str().is_ok_and(is_this_computer))
}

fn is_this_computer(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "127.0.0.1" | "[::1]") || is_localhost(name)
}

fn is_forwarded(name: &str) -> bool {
    FORWARDED.contains(&name) || FORWARDED_FAMILIES.iter().any(|family| name.starts_with(family))
}

/// Returns whether the request may read: a program, our own page, or a person who opens a page by a link. Other pages
/// could not read the answer, but they could show it in a frame or run it as a script.
fn may_read(headers: &HeaderMap, site: Option<&Site>) -> bool {
    if headers.contains_key(ORIGIN) && !has_own_origin(headers, site) {
        return false;
    }
    let is = |name: &HeaderName, value: &str| headers.get(name).is_some_and(|found| found == value);
    let opened = is(&FETCH_MODE, "navigate") && is(&FETCH_DESTINATION, "document");
    comes_from_own_page(headers) || opened
}

/// Returns whether the request may change something: only our own page may, or a program. Every browser of today names
/// the origin of such a request; one that does not is recognised by what only browsers send.
fn may_write(headers: &HeaderMap, site: Option<&Site>) -> bool {
    let browser = headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"));
    let page = browser || headers.contains_key(REFERER) || headers.contains_key(FETCH_SITE);
    comes_from_own_page(headers) && if headers.contains_key(ORIGIN) { has_own_origin(headers, site) } else { !page }
}

/// Returns whether the only `Origin` is that of the request's own host.
fn has_own_origin(headers: &HeaderMap, site: Option<&Site>) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let only = origins.next().filter(|_| origins.next().is_none());
    only.zip(site).is_some_and(|(origin, site)| origin == site.origin())
}

/// Returns whether the browser, if it is one that says so, knows of no other page behind the request. `same-site` is not
/// enough: all ports of `localhost` are one site.
fn comes_from_own_page(headers: &HeaderMap) -> bool {
    headers.get_all(FETCH_SITE).iter().all(|site| site == "same-origin" || site == "none")
}

#[cfg(test)]
mod tests;
