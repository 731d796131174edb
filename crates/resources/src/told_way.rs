//! How people come in, as the functions tell them.

/// The way in that an environment of the functions tells.
#[derive(Debug, PartialEq, Eq)]
pub struct ToldWay {
    /// The URL of the WebSocket; only a path if it is on the origin of the pages, empty if the host publishes it.
    pub(crate) signal: String,
    /// Whether the host relays.
    pub(crate) relays: bool,
    /// The name under which it relays by TLS, which is that of its certificate; empty if it has none.
    pub(crate) certified: String,
}

impl ToldWay {
    /// Returns the way that an environment tells, whose variables `value` returns.
    pub fn of<'a>(value: impl Fn(&str) -> &'a str) -> Self {
        let (signal, site) = (value("SIGNAL_URL"), value("SITE_URL").replacen("http", "ws", 1));
        let on_site = signal.strip_prefix(&site).filter(|path| !site.is_empty() && path.starts_with('/'));
        let relays = value("TURN_PROVIDER") == "host";
        let certified = if relays { certified(value("TURN_URLS").split(',')) } else { String::new() };
        Self { signal: on_site.unwrap_or(signal).to_owned(), relays, certified }
    }
}

/// Returns the host of the first of these URLs of relays that is one by TLS.
pub(crate) fn certified<'a>(urls: impl IntoIterator<Item = &'a str>) -> String {
    let host = urls.into_iter().find_map(|url| url.strip_prefix("turns:")?.split([':', '?']).next());
    host.unwrap_or_default().to_owned()
}
