//! The key of `--private-mail`: with it, only the person who started `local` opens the mailbox and the switches. A tunnel of
//! plain TCP leaves no trace in a request, so that nothing but a secret tells its users from that person.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// The cookie that keeps the key in the browser, until it is closed.
const COOKIE_NAME: &str = "peersync-mailbox";

/// The key of this run: 256 random bits.
#[derive(Clone, Debug)]
pub struct MailKey(String);

impl MailKey {
    /// Returns a new key.
    pub fn random() -> Self {
        Self(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
    }

    /// Returns the URL that opens the mailbox.
    pub fn url(&self, mailbox: &str) -> String {
        format!("{mailbox}?key={}", self.0)
    }

    /// Returns the answer to a request that has the key in its URL: it puts the key into a cookie, so that it does not
    /// stay in the address bar.
    pub fn exchange(&self, request: &Request) -> Option<Response> {
        let mut parts = request.uri().query().unwrap_or_default().split('&');
        let given = parts.find_map(|part| part.strip_prefix("key="))?;
        if request.method() != Method::GET || !self.is(given) {
            return None;
        }
        let cookie = format!("{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Strict", self.0);
        let headers = [(LOCATION, request.uri().path().to_owned()), (SET_COOKIE, cookie)];
        Some((StatusCode::SEE_OTHER, headers, Body::empty()).into_response())
    }

    /// Returns whether the request has the cookie.
    pub fn admits(&self, request: &Request) -> bool {
        let cookies = request.headers().get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
        let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.any(|(name, value)| name == COOKIE_NAME && self.is(value))
    }

    /// Compares digests, so that the time tells nothing about the key.
    fn is(&self, given: &str) -> bool {
        Sha256::digest(given) == Sha256::digest(&self.0)
    }
}
