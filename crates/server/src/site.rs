//! The origin under which a request reached the pages.
//!
//! A stack in AWS has one, its `SITE_URL`. `local` has one for each address of the computer, and a page has to get
//! addresses that work from where it was opened. The edge of `local` determines it from the connection; it travels as an
//! extension of the request, which no client can set, and never as a header.

use std::sync::Arc;

use crate::settings::{Settings, TurnSettings};

/// The origin of the pages for one request, such as `https://192.168.1.7:8080`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site(Arc<str>);

impl Site {
    /// Returns a site. `origin` must be one under which these pages are really served.
    pub fn new(origin: impl Into<Arc<str>>) -> Self {
        Self(origin.into())
    }

    /// Returns the site of a request with this extension: without one, that of the stack.
    pub fn of(settings: &Settings, extension: Option<&Self>) -> Self {
        extension.cloned().unwrap_or_else(|| Self::new(settings.site_url.as_str()))
    }

    /// Returns the origin, without a trailing slash.
    pub fn origin(&self) -> &str {
        &self.0
    }

    /// Returns whether browsers reach it over HTTPS.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }

    /// Returns whether a page of this origin may send the request: one of the site itself, or one that the stack allows.
    pub fn allows(&self, settings: &Settings, origin: &str) -> bool {
        origin == self.origin() || settings.allows_origin(origin)
    }

    /// Returns the URL of the signaling server. If the stack's own is on the origin of its pages, it is on this one.
    pub fn signal_url(&self, settings: &Settings) -> String {
        let socket = |origin: &str| origin.replacen("http", "ws", 1);
        match settings.signal_url.strip_prefix(&socket(&settings.site_url)) {
            Some(path) if path.starts_with('/') => format!("{}{path}", socket(self.origin())),
            _ => settings.signal_url.clone(),
        }
    }
}

impl Site {
    /// Returns the STUN and TURN servers. Those on the host of the stack's own pages are on the host of this origin.
    pub fn turn(&self, settings: &Settings) -> TurnSettings {
        let (own, here) = (host(&settings.site_url), host(self.origin()));
        // Browsers may take the other family's address for this name.
        let here = if here == "localhost" || here.ends_with(".localhost") { "127.0.0.1" } else { here };
        let mut turn = settings.turn.clone();
        for url in turn.urls.iter_mut().chain(&mut turn.stun) {
            if let Some((scheme, server)) = url.split_once(':')
                && let Some(rest) = server.strip_prefix(own)
                && (rest.is_empty() || rest.starts_with([':', '?']))
            {
                *url = format!("{scheme}:{here}{rest}");
            }
        }
        turn
    }
}

/// Returns the host of an origin.
fn host(origin: &str) -> &str {
    let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    match authority.rfind(']') {
        Some(end) => authority.get(..=end).unwrap_or(authority),
        None => authority.split(':').next().unwrap_or(authority),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here is the test's failure")]
    use super::*;

    fn settings(signal_url: &'static str) -> Settings {
        Settings::from_variables(|name| match name {
            "PEERSYNC_STACK" => Some("peersync-test".to_owned()),
            "SITE_URL" => Some("http://localhost:8080".to_owned()),
            "SIGNAL_URL" => Some(signal_url.to_owned()),
            _ => None,
        })
        .unwrap()
    }

    #[test]
    fn websocket_is_on_the_origin_of_the_pages_unless_it_has_its_own() {
        let site = Site::new("https://192.168.1.7:8080");
        assert_eq!(site.signal_url(&settings("ws://localhost:8080/ws")), "wss://192.168.1.7:8080/ws");
        for elsewhere in ["wss://signal.example/ws", "ws://localhost:80801/ws"] {
            assert_eq!(site.signal_url(&settings(elsewhere)), elsewhere);
        }
    }

    #[test]
    fn relay_is_on_the_host_of_the_pages_unless_it_has_its_own() {
        let mut settings = settings("");
        settings.turn.urls = ["turn:localhost:3478?transport=udp", "turn:localhost.example:3478", "turn:t.example"]
            .map(str::to_owned)
            .to_vec();
        settings.turn.stun = vec!["stun:localhost".to_owned()];
        for (origin, here) in [
            ("https://192.168.1.7:8080", "192.168.1.7"),
            ("http://[fd00::2]:8080", "[fd00::2]"),
            ("http://localhost:8080", "127.0.0.1"),
            ("http://a.localhost:8080", "127.0.0.1"),
        ] {
            let turn = Site::new(origin).turn(&settings);
            assert_eq!(turn.urls[0], format!("turn:{here}:3478?transport=udp"));
            assert_eq!(turn.urls[1..], settings.turn.urls[1..], "others have their own");
            assert_eq!(turn.stun, [format!("stun:{here}")]);
        }
    }

    #[test]
    fn pages_of_the_site_and_of_the_stack_are_allowed() {
        let settings = settings("");
        let site = Site::new("http://192.168.1.7:8080");
        assert!(site.allows(&settings, "http://192.168.1.7:8080") && site.allows(&settings, "http://localhost:8080"));
        assert!(
            !site.allows(&settings, "https://192.168.1.7:8080") && !site.allows(&settings, "http://192.168.1.8:8080")
        );
        assert_eq!(Site::of(&settings, None).origin(), "http://localhost:8080");
        assert_eq!(Site::of(&settings, Some(&site)), site);
    }
}
