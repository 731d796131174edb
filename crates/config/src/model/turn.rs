//! STUN and TURN: how browsers find a way to each other, and what relays calls that find none.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Config, Ingress};
use crate::Secret;

/// Cloudflare's public STUN server (<https://developers.cloudflare.com/realtime/turn/>).
const CLOUDFLARE_STUN: &str = "stun:stun.cloudflare.com:3478";

/// Who relays calls that find no direct way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TurnProvider {
    /// The stack's own relay, on the signaling host.
    Host,
    /// Your own TURN server.
    Own,
    /// Cloudflare's managed TURN.
    Cloudflare,
    /// Nobody: calls that find no direct way fail.
    None,
}

/// STUN and TURN: how browsers find a way to each other, and what relays calls that find none.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Turn {
    /// Who relays. If omitted: `own` if `urls` are set, otherwise `host`; with the ingress `cloudflare`, which has no
    /// inbound port, nobody.
    pub provider: Option<TurnProvider>,
    /// URLs of other STUN servers. If empty: those of the provider.
    #[schemars(extend("items" = {
        "type": "string",
        "pattern": r"^stuns?:[A-Za-z0-9.\[\]:-]+$",
        "patternErrorMessage": "write \"stun:HOST:3478\"",
    }))]
    pub stun: Vec<String>,
    /// Gigabytes (10^9 bytes) that `host` relays in a calendar month, 1 to 1000000. Then it refuses new calls.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub monthly_gb: u32,
    /// URLs of the server, for `own`, such as `turn:turn.example.org:3478?transport=udp`.
    #[schemars(extend("items" = {
        "type": "string",
        "pattern": r"^turns?:[A-Za-z0-9.\[\]:-]+(\?transport=(udp|tcp))?$",
        "patternErrorMessage": "write \"turn:HOST:3478?transport=udp\" or \"turns:HOST:5349?transport=tcp\"",
    }))]
    pub urls: Vec<String>,
    /// The secret that it shares with PeerSync (`static-auth-secret` in coturn), for `own`.
    pub secret: Option<Secret>,
    /// Id of the TURN key, for `cloudflare`.
    pub key_id: Option<Secret>,
    /// API token of the TURN key, for `cloudflare`.
    pub api_token: Option<Secret>,
}

impl Default for Turn {
    fn default() -> Self {
        let (provider, secret, key_id, api_token) = (None, None, None, None);
        Self { provider, stun: Vec::new(), monthly_gb: 100, urls: Vec::new(), secret, key_id, api_token }
    }
}

impl Config {
    /// Returns who relays: the configured provider, or the one that follows from the other settings.
    pub fn turn_provider(&self) -> TurnProvider {
        match self.turn.provider {
            Some(provider) => provider,
            None if !self.turn.urls.is_empty() => TurnProvider::Own,
            None if self.signaling.ingress == Ingress::Cloudflare => TurnProvider::None,
            None => TurnProvider::Host,
        }
    }

    /// Returns whether nobody relays because the ingress has no inbound port and nothing else was chosen.
    pub fn lacks_relay(&self) -> bool {
        self.turn.provider.is_none() && self.turn_provider() == TurnProvider::None
    }

    /// Returns the URLs of the STUN servers that are not the provider's own: those of the configuration, or Cloudflare's
    /// public one if the stack [lacks a relay](Self::lacks_relay), since its signaling goes through Cloudflare anyway.
    pub fn stun_urls(&self) -> Vec<String> {
        if self.turn.stun.is_empty() && self.lacks_relay() {
            return vec![CLOUDFLARE_STUN.to_owned()];
        }
        self.turn.stun.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provider_follows_from_ingress_and_urls() {
        let mut config = Config::default();
        assert_eq!((config.turn_provider(), config.stun_urls().len()), (TurnProvider::Host, 0), "no third party");
        config.signaling.ingress = Ingress::Direct;
        assert_eq!((config.turn_provider(), config.stun_urls().len()), (TurnProvider::Host, 0));
        config.signaling.ingress = Ingress::Cloudflare;
        assert_eq!(
            (config.turn_provider(), config.stun_urls()),
            (TurnProvider::None, vec![CLOUDFLARE_STUN.to_owned()])
        );
        config.turn.stun = vec!["stun:stun.example.org".to_owned()];
        assert_eq!(config.stun_urls(), ["stun:stun.example.org"]);
        config.turn = Turn { provider: Some(TurnProvider::None), ..Turn::default() };
        assert!(config.stun_urls().is_empty() && !config.lacks_relay(), "nobody was chosen");
        config.turn = Turn { urls: vec!["turn:turn.example.org".to_owned()], ..Turn::default() };
        assert_eq!((config.turn_provider(), config.stun_urls().len()), (TurnProvider::Own, 0));
    }
}
