//! The relay on the signaling host: its ports, and the URLs under which browsers reach it. It depends on the ingress what
//! the host has free.

use crate::stack::Stack;
use peersync_config::{Ingress, TurnProvider};

/// The port of STUN and TURN over UDP and TCP (RFC 8656, section 3.1).
const PORT: u16 = 3478;
/// The port of TURN over TLS (RFC 8656, section 3.1).
const TLS_PORT: u16 = 5349;
/// HTTPS: many networks let nothing else out.
const HTTPS: u16 = 443;

/// The relay of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// The UDP ports.
    pub udp: &'static [u16],
    /// The TCP ports without TLS.
    pub tcp: &'static [u16],
    /// The TCP ports with TLS, for which the host has a certificate. Browsers are told of the shared one alone: a network
    /// that lets these out and not that is not known, and each way costs every call a connection.
    pub tls: &'static [u16],
    /// The TCP ports with and without TLS, which the relay shares with the signaling server.
    pub shared: &'static [u16],
}

impl Relay {
    /// Returns the URLs of the TURN servers, the fastest way first.
    pub fn turn_urls(&self, host: &str) -> Vec<String> {
        let urls = |scheme: &str, ports: &[u16], transport: &str| -> Vec<String> {
            ports.iter().map(|port| format!("{scheme}:{host}:{port}?transport={transport}")).collect()
        };
        let (plain, encrypted) = (urls("turn", self.shared, "tcp"), urls("turns", self.shared, "tcp"));
        [urls("turn", self.udp, "udp"), urls("turn", self.tcp, "tcp"), plain, encrypted].concat()
    }

    /// Returns the URLs of the STUN servers. One way suffices: STUN over TCP tells no address that others can use.
    pub fn stun_urls(&self, host: &str) -> Vec<String> {
        self.udp.iter().map(|port| format!("stun:{host}:{port}")).collect()
    }

    /// Returns the TCP ports, of which some take TLS too.
    pub fn all_tcp(&self) -> impl Iterator<Item = u16> {
        self.tcp.iter().chain(self.shared).chain(self.tls).copied()
    }

    /// Returns whether it listens on a port that only root may open without a capability.
    pub fn has_low_port(&self) -> bool {
        self.all_tcp().chain(self.udp.iter().copied()).any(|port| port < 1024)
    }
}

impl Stack {
    /// Returns the relay on the host; `None` if the configuration wants none.
    pub fn relay(&self) -> Option<Relay> {
        if self.config.turn_provider() != TurnProvider::Host {
            return None;
        }
        match self.config.signaling.ingress {
            // CloudFront has a port of its own, so that nothing but the relay needs this one, and the challenge that proves
            // whose the name is. The port of TURN over TLS, of which no browser is told, would be the 59th of the 60 rules
            // that a security group may have for IPv4: CloudFront's prefix list counts as 55 ("CloudFront managed prefix
            // list", VPC user guide).
            Ingress::Cloudfront if self.config.signaling.has_certificate() => {
                Some(Relay { udp: &[PORT], tcp: &[PORT], tls: &[], shared: &[HTTPS] })
            }
            // The host has no certificate.
            Ingress::Cloudfront => Some(Relay { udp: &[PORT], tcp: &[PORT, HTTPS], tls: &[], shared: &[] }),
            // The relay ends TLS, and passes on what is for the signaling server.
            Ingress::Direct => Some(Relay { udp: &[PORT], tcp: &[PORT], tls: &[TLS_PORT], shared: &[HTTPS] }),
            // No inbound port is open; the configuration is refused.
            Ingress::Cloudflare => None,
        }
    }

    /// Returns whether the host runs the program `relay`: to relay, or only to end TLS in front of the signaling server.
    pub fn runs_relay(&self) -> bool {
        self.relay().is_some() || self.config.signaling.has_certificate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peersync_config::Config;

    async fn relay(ingress: Ingress, provider: Option<TurnProvider>) -> Option<Relay> {
        let mut config = Config::default();
        config.signaling.ingress = ingress;
        config.turn.provider = provider;
        Stack::for_tests(config).await.relay()
    }

    #[tokio::test]
    async fn browsers_are_told_the_ways_that_the_ingress_leaves_free() {
        let urls = |relay: Option<Relay>| relay.map(|relay| (relay.stun_urls("h"), relay.turn_urls("h")));
        let stun = vec!["stun:h:3478".to_owned()];
        let (udp, tcp) = ("turn:h:3478?transport=udp", "turn:h:3478?transport=tcp");
        let web = "turn:h:443?transport=tcp";
        let of_cloudfront = urls(relay(Ingress::Cloudfront, None).await);
        assert_eq!(of_cloudfront, Some((stun.clone(), [udp, tcp, web].map(str::to_owned).to_vec())));
        let direct = urls(relay(Ingress::Direct, Some(TurnProvider::Host)).await);
        let of_direct = [udp, tcp, web, "turns:h:443?transport=tcp"].map(str::to_owned).to_vec();
        assert_eq!(direct, Some((stun.clone(), of_direct.clone())));
        let mut config = Config::default();
        config.signaling.domain = Some("h".to_owned());
        let named = Stack::for_tests(config.clone()).await;
        assert_eq!(urls(named.relay()), Some((stun, of_direct)), "CloudFront reaches the host by TLS");
        config.turn.provider = Some(TurnProvider::None);
        let named = Stack::for_tests(config).await;
        assert_eq!((named.relay(), named.runs_relay()), (None, true), "to end TLS");
        for provider in [TurnProvider::Own, TurnProvider::Cloudflare, TurnProvider::None] {
            assert_eq!(relay(Ingress::Cloudfront, Some(provider)).await, None, "{provider:?}");
        }
        assert_eq!(relay(Ingress::Cloudflare, None).await, None);
    }
}
