//! The sender of a request, as far as it is known without the database: cookies, client address, language.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use peersync_server::client_address::{EdgeProof, Network, client_address, edge_proof};
use peersync_server::secrets::Secret;

use crate::mail::Language;

/// The cookie of a browser that requested a sign-in mail.
const BROWSER_COOKIE: &str = "__Host-asked";
/// Its lifetime in seconds: that of the mail.
const BROWSER_SECONDS: i64 = 15 * 60;

/// The peer address of the connection as the gateway or the socket reports it. An extension of the request.
#[derive(Clone, Copy, Debug)]
pub struct SourceAddress(pub IpAddr);

/// The id of the request in logs. An extension of the request; a random one is used if it is missing.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// The cookies that the response will set.
#[derive(Clone, Debug, Default)]
pub(crate) struct SetCookies(Arc<Mutex<Vec<HeaderValue>>>);

impl SetCookies {
    /// Sets a cookie that no script can read, and that the browser does not send with a POST from another site.
    pub(crate) fn set(&self, name: &str, value: &str, seconds: i64) {
        let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite=Lax");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            self.lock().push(cookie);
        }
    }

    /// Removes a cookie.
    pub(crate) fn clear(&self, name: &str) {
        self.set(name, "", 0);
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
}

impl Caller {
    pub(crate) fn of(parts: &Parts) -> Self {
        Self {
            headers: parts.headers.clone(),
            source: parts.extensions.get::<SourceAddress>().map(|source| source.0),
            cookies: parts.extensions.get::<SetCookies>().cloned().unwrap_or_default(),
        }
    }

    /// Returns the cookies that the response will set.
    pub(crate) fn set_cookies(&self) -> &SetCookies {
        &self.cookies
    }

    /// Returns a cookie's value if it has the form of ours: 43 characters of base64url.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
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
        self.cookies.set(BROWSER_COOKIE, value, BROWSER_SECONDS);
    }

    /// Removes the mark.
    pub fn clear_browser_mark(&self) {
        self.cookies.clear(BROWSER_COOKIE);
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

    /// Returns the client's address as limits count it, see [`Network`]. Headers count only if the edge has proved
    /// itself.
    pub fn client(&self, proof: EdgeProof) -> String {
        let address = client_address(&self.headers, self.source, proof == EdgeProof::Valid);
        address.map_or_else(|| "unknown".to_owned(), |address| Network::of(address).to_string())
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
}
