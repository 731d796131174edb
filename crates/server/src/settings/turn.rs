//! The STUN and TURN servers that browsers are told.

use super::{SettingError, Variables};

/// The STUN and TURN servers that browsers are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnSettings {
    /// Who relays.
    pub provider: TurnProvider,
    /// The URLs of the TURN servers that share a secret with the API: of [`TurnProvider::Host`] and
    /// [`TurnProvider::Own`].
    pub urls: Vec<String>,
    /// The URLs of the STUN servers. For [`TurnProvider::Cloudflare`] they take the place of Cloudflare's own, if there
    /// are any.
    pub stun: Vec<String>,
    /// The URL of Cloudflare's API. Default [`CLOUDFLARE_URL`].
    pub cloudflare_url: String,
}

/// Who relays calls that find no direct way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TurnProvider {
    /// Nobody.
    #[default]
    None,
    /// The relay on the signaling host, whose secret the deployer generates and rotates.
    Host,
    /// A TURN server of the owner's, with a secret from the configuration.
    Own,
    /// Cloudflare's managed TURN, which issues its credentials itself.
    Cloudflare,
}

/// The URL of Cloudflare's API for TURN
/// (<https://developers.cloudflare.com/realtime/turn/generate-credentials/>).
pub const CLOUDFLARE_URL: &str = "https://rtc.live.cloudflare.com";

impl Default for TurnSettings {
    fn default() -> Self {
        let cloudflare_url = CLOUDFLARE_URL.to_owned();
        Self { provider: TurnProvider::default(), urls: Vec::new(), stun: Vec::new(), cloudflare_url }
    }
}

impl Variables<'_> {
    /// Reads the settings. URLs alone mean a server of the owner's, as in the environment that earlier versions wrote.
    pub(super) fn turn(&self) -> Result<TurnSettings, SettingError> {
        let urls = self.list("TURN_URLS");
        let default = if urls.is_empty() { TurnProvider::None } else { TurnProvider::Own };
        let parse = |text: &str| match text {
            "none" => Some(TurnProvider::None),
            "host" => Some(TurnProvider::Host),
            "own" => Some(TurnProvider::Own),
            "cloudflare" => Some(TurnProvider::Cloudflare),
            _ => None,
        };
        Ok(TurnSettings {
            provider: self.parsed("TURN_PROVIDER", "one of none, host, own, cloudflare", default, parse)?,
            urls,
            stun: self.list("STUN_URLS"),
            cloudflare_url: self.or("CLOUDFLARE_TURN_URL", CLOUDFLARE_URL),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;
    use crate::settings::Settings;

    fn turn(pairs: &[(&'static str, &str)]) -> TurnSettings {
        let look_up = |name| match name {
            "PEERSYNC_STACK" | "SITE_URL" => Some("any".to_owned()),
            _ => pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned()),
        };
        Settings::from_variables(look_up).unwrap().turn
    }

    #[test]
    fn urls_alone_are_those_of_a_server_of_the_owner() {
        assert_eq!(turn(&[]), TurnSettings::default());
        assert_eq!(turn(&[("TURN_URLS", "turn:t.example")]).provider, TurnProvider::Own);
        let host = turn(&[("TURN_PROVIDER", "host"), ("TURN_URLS", "turn:t.example"), ("STUN_URLS", "stun:t.example")]);
        assert_eq!((host.provider, host.stun), (TurnProvider::Host, vec!["stun:t.example".to_owned()]));
    }
}
