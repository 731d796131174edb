//! The sender of a request, as far as it is known without the database: cookies, client address, language.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use peersync_server::client_address::{EdgeProof, Network, client_address, client_address_behind_gateway, edge_proof};
use peersync_server::secrets::Secret;
use peersync_server::settings::Settings;
use peersync_server::site::Site;
use peersync_server::store::KNOWN_SECONDS;

use crate::mail::Language;

/// The cookie of a browser that requested a sign-in mail.
const BROWSER_COOKIE: Cookie = Cookie { secure: "__Host-asked", plain: "peersync-asked" };
/// Its lifetime in seconds: that of the mail.
const BROWSER_SECONDS: i64 = 15 * 60;

/// The cookie of a browser in which somebody has signed in. It proves nothing but that, and outlives the session.
const KNOWN_COOKIE: Cookie = Cookie { secure: "__Host-known", plain: "peersync-known" };

/// The address that API Gateway got the request from, which is the edge's if it came through it. An extension of the
/// request, missing in `local`.
#[derive(Clone, Copy, Debug)]
pub struct SourceAddress(pub IpAddr);

/// The id of the request in logs. An extension of the request; a random one is used if it is missing.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// The names of a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// The name over HTTPS. The prefix makes browsers require `Secure`, this host only and `Path=/`.
    pub secure: &'static str,
    /// The name over plain HTTP, which only `local` serves. There no browser keeps a `Secure` cookie from another
    /// computer, and Safari not even one from `localhost`.
    pub plain: &'static str,
}

/// A client as limits count it: the networks of its address, the narrowest first; none if the address is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client(pub Vec<Network>);

/// The cookies that the response will set.
#[derive(Clone, Debug, Default)]
pub(crate) struct SetCookies(Arc<Mutex<Vec<HeaderValue>>>);

impl SetCookies {
    /// Sets a cookie that no script can read, and that the browser does not send with a POST from another site.
    fn set(&self, cookie: Cookie, secure: bool, value: &str, seconds: i64) {
        let (name, only) = if secure { (cookie.secure, "; Secure") } else { (cookie.plain, "") };
        let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly{only}; SameSite=Lax");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            self.lock().push(cookie);
        }
    }

    /// Moves them into the response headers.
    pub(crate) fn move_into(&self, headers: &mut HeaderMap) {
        for cookie in self.lock().drain(..) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }

    /// Locks the list, also after a panic elsewhere, which leaves it intact.
    fn lock(&self) -> MutexGuard<'_, Vec<HeaderValue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sender of a request.
#[derive(Clone, Debug)]
pub struct Caller {
    headers: HeaderMap,
    source: Option<IpAddr>,
    cookies: SetCookies,
    /// The site that the request reached; always set by the guard.
    site: Option<Site>,
}

impl Caller {
    pub(crate) fn of(parts: &Parts) -> Self {
        Self {
            headers: parts.headers.clone(),
            source: parts.extensions.get::<SourceAddress>().map(|source| source.0),
            cookies: parts.extensions.get::<SetCookies>().cloned().unwrap_or_default(),
            site: parts.extensions.get::<Site>().cloned(),
        }
    }

    /// Returns the site that the request reached, with which links in mails begin.
    pub fn site(&self, settings: &Settings) -> Site {
        Site::of(settings, self.site.as_ref())
    }

    /// Sets a cookie in the caller's browser.
    pub(crate) fn set_cookie(&self, cookie: Cookie, value: &str, seconds: i64) {
        self.cookies.set(cookie, self.is_secure(), value, seconds);
    }

    /// Removes a cookie from the caller's browser.
    pub(crate) fn clear_cookie(&self, cookie: Cookie) {
        self.set_cookie(cookie, "", 0);
    }

    fn is_secure(&self) -> bool {
        self.site.as_ref().is_none_or(Site::is_https)
    }

    /// Returns a cookie's value if it has the form of ours: 43 characters of base64url. Over HTTPS only the name with the
    /// prefix counts, because the others can be set by anybody in the network.
    pub(crate) fn cookie(&self, cookie: Cookie) -> Option<String> {
        let plain = if self.is_secure() { None } else { self.named(cookie.plain) };
        plain.or_else(|| self.named(cookie.secure))
    }

    fn named(&self, name: &str) -> Option<String> {
        let headers = self.headers.get_all(header::COOKIE);
        let mut pairs = headers.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
        let value = pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))?;
        let ours = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (value.len() == 43 && value.bytes().all(ours)).then(|| value.to_owned())
    }

    /// Returns the mark of a browser that requested a mail.
    pub fn browser_mark(&self) -> Option<String> {
        self.cookie(BROWSER_COOKIE)
    }

    /// Marks this browser as one that requested a mail.
    pub fn set_browser_mark(&self, value: &str) {
        self.set_cookie(BROWSER_COOKIE, value, BROWSER_SECONDS);
    }

    /// Removes the mark.
    pub fn clear_browser_mark(&self) {
        self.clear_cookie(BROWSER_COOKIE);
    }

    /// Returns the language of mails that this caller causes.
    pub fn language(&self) -> Language {
        let accepted = self.headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Language::choose(accepted.unwrap_or_default())
    }

    /// Checks whether the request came through the edge, by these keys.
    pub fn edge_proof(&self, origin_keys: &[&Secret]) -> EdgeProof {
        edge_proof(&self.headers, origin_keys)
    }

    /// Returns the mark of a browser in which somebody has signed in before.
    pub fn known_mark(&self) -> Option<String> {
        self.cookie(KNOWN_COOKIE)
    }

    /// Marks this browser as one in which somebody has signed in.
    pub fn set_known_mark(&self, value: &str) {
        self.set_cookie(KNOWN_COOKIE, value, KNOWN_SECONDS);
    }

    /// Returns the client as limits count it. Headers count only if the edge has proved itself.
    pub fn client(&self, proof: EdgeProof) -> Client {
        let from_edge = proof == EdgeProof::Valid;
        let address = match self.source {
            Some(gateway) => Some(client_address_behind_gateway(&self.headers, gateway, from_edge)),
            None => client_address(&self.headers, None, from_edge),
        };
        Client(address.map(|address| Network::enclosing(address).collect()).unwrap_or_default())
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn cookies_of_another_form_are_ignored() {
        let value = "a".repeat(43);
        let of = |cookie: &str| Caller {
            headers: headers(&[("cookie", cookie)]),
            source: None,
            cookies: SetCookies::default(),
            site: None,
        };
        assert_eq!(of(&format!("x=1; __Host-asked={value}")).browser_mark(), Some(value.clone()));
        for cookie in [
            "",
            "__Host-asked",
            "__Host-asked=short",
            &format!("x__Host-asked={value}"),
            &format!("__Host-asked={value}é"),
        ] {
            assert_eq!(of(cookie).browser_mark(), None, "{cookie}");
        }
    }

    #[test]
    fn only_plain_http_has_cookies_that_are_not_secure() {
        let (strict, plain) = ("a".repeat(43), "b".repeat(43));
        let cookie = format!("__Host-asked={strict}; peersync-asked={plain}");
        for (origin, mark, name) in [
            (
                "https://192.168.1.7:8080",
                &strict,
                "__Host-asked=c; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax",
            ),
            ("http://192.168.1.7:8080", &plain, "peersync-asked=c; Path=/; Max-Age=900; HttpOnly; SameSite=Lax"),
        ] {
            let headers = headers(&[("cookie", &cookie)]);
            let site = Some(Site::new(origin));
            let caller = Caller { headers, source: None, cookies: SetCookies::default(), site };
            assert_eq!(caller.browser_mark().as_ref(), Some(mark), "{origin}");
            caller.set_browser_mark("c");
            let mut set = HeaderMap::new();
            caller.cookies.move_into(&mut set);
            assert_eq!(set.get(header::SET_COOKIE).unwrap(), name, "{origin}");
        }
    }
}
