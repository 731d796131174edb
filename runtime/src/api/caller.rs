//! Who sends the request, as far as that shows without the database: cookies, client address, language.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};

use super::error::ApiResult;
use super::state::State;
use crate::mail::Language;

/// Cookie of the browser that asked for a sign-in mail.
const ASKED_COOKIE: &str = "__Host-asked";
/// How long it lives, in seconds: as long as the mail works.
const ASKED_SECONDS: i64 = 15 * 60;
/// What the edge proves itself with.
const ORIGIN_KEY: &str = "x-peersync-origin-key";

/// The other end of the connection, as the gateway or the socket knows it. An extension of the request.
#[derive(Clone, Copy, Debug)]
pub struct SourceAddress(pub IpAddr);

/// Id of the request in logs. An extension of the request; made up where it is missing.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Cookies that the answer will set.
#[derive(Clone, Debug, Default)]
pub(super) struct SetCookies(Arc<Mutex<Vec<HeaderValue>>>);

impl SetCookies {
    /// Sets a cookie that no script can read and no other site can make the browser send with a POST.
    pub(super) fn set(&self, name: &str, value: &str, seconds: i64) {
        let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite=Lax");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(cookie);
        }
    }

    /// Removes a cookie.
    pub(super) fn clear(&self, name: &str) {
        self.set(name, "", 0);
    }

    /// Moves them into the answer.
    pub(super) fn move_into(&self, headers: &mut HeaderMap) {
        for cookie in self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Caller {
    headers: HeaderMap,
    source: Option<IpAddr>,
    cookies: SetCookies,
}

impl Caller {
    pub(super) fn of(parts: &Parts) -> Self {
        Self {
            headers: parts.headers.clone(),
            source: parts.extensions.get::<SourceAddress>().map(|source| source.0),
            cookies: parts.extensions.get::<SetCookies>().cloned().unwrap_or_default(),
        }
    }

    /// The cookies that the answer will set.
    pub(super) fn set_cookies(&self) -> &SetCookies {
        &self.cookies
    }

    /// A cookie of ours: 43 characters of base64url. Anything else we have not made.
    pub(super) fn cookie(&self, name: &str) -> Option<String> {
        let headers = self.headers.get_all(header::COOKIE);
        let mut pairs = headers.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
        let value = pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))?;
        let ours = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (value.len() == 43 && value.bytes().all(ours)).then(|| value.to_owned())
    }

    /// What marks this browser as one that asked for a mail.
    pub fn asked(&self) -> Option<String> {
        self.cookie(ASKED_COOKIE)
    }

    /// Marks this browser.
    pub fn set_asked(&self, value: &str) {
        self.cookies.set(ASKED_COOKIE, value, ASKED_SECONDS);
    }

    /// Takes the mark away.
    pub fn clear_asked(&self) {
        self.cookies.clear(ASKED_COOKIE);
    }

    /// The language of mails to this caller.
    pub fn language(&self) -> Language {
        let wanted = self.headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Language::choose(wanted.unwrap_or_default())
    }

    /// The client's address for limits: all of IPv4, the first 64 bits of IPv6. Headers count only from our own edge.
    ///
    /// # Errors
    /// The edge's key cannot be read.
    pub async fn client(&self, state: &State) -> ApiResult<String> {
        let key = state.secrets().await?.origin_key.as_ref();
        let given = self.headers.get(ORIGIN_KEY).and_then(|value| value.to_str().ok());
        let from_edge = matches!((key, given), (Some(key), Some(given)) if key.matches(given));
        let address = if from_edge { told_by_edge(&self.headers).or(self.source) } else { self.source };
        Ok(address.map_or_else(|| "unknown".to_owned(), network))
    }
}

impl FromRequestParts<State> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

/// `cloudfront-viewer-address` (address and port), or the last entry of `x-forwarded-for`, which is the edge's own: the
/// ones before it are the client's to choose.
fn told_by_edge(headers: &HeaderMap) -> Option<IpAddr> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let viewer = text("cloudfront-viewer-address").and_then(|address| address.rsplit_once(':'));
    let viewer = viewer.and_then(|(address, _)| parse_address(address));
    viewer.or_else(|| parse_address(text("x-forwarded-for")?.rsplit(',').next()?))
}

fn parse_address(text: &str) -> Option<IpAddr> {
    text.trim().trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// One subscriber has one IPv4 address or a /64 of IPv6, and could change within that at will.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
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
    fn the_edge_tells_the_viewer() {
        for (pairs, expected) in [
            (&[("cloudfront-viewer-address", "198.51.100.7:4711")][..], "198.51.100.7"),
            (&[("cloudfront-viewer-address", "2001:db8:1:2:3:4:5:6:4711")], "2001:db8:1:2::/64"),
            (&[("cloudfront-viewer-address", "[2001:db8::1]:4711")], "2001:db8:0:0::/64"),
            (&[("x-forwarded-for", "10.0.0.1, 198.51.100.7")], "198.51.100.7"),
            (
                &[("cloudfront-viewer-address", "::ffff:198.51.100.7:1"), ("x-forwarded-for", "10.0.0.1")],
                "198.51.100.7",
            ),
        ] {
            assert_eq!(network(told_by_edge(&headers(pairs)).unwrap()), expected);
        }
        assert_eq!(told_by_edge(&headers(&[("x-forwarded-for", "nobody")])), None);
    }

    #[test]
    fn only_our_own_cookies_are_read() {
        let value = "a".repeat(43);
        let of = |cookie: &str| Caller {
            headers: headers(&[("cookie", cookie)]),
            source: None,
            cookies: SetCookies::default(),
        };
        assert_eq!(of(&format!("x=1; __Host-asked={value}")).asked(), Some(value.clone()));
        for cookie in [
            "",
            "__Host-asked",
            "__Host-asked=short",
            &format!("x__Host-asked={value}"),
            &format!("__Host-asked={value}é"),
        ] {
            assert_eq!(of(cookie).asked(), None, "{cookie}");
        }
    }
}
