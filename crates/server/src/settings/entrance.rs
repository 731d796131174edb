//! How requests reach the signaling server.

use std::net::SocketAddr;

use super::{SettingError, Variables};

/// What is in front of the signaling server, and so who tells it the address of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Entrance {
    /// CloudFront or the edge of `local`, which prove themselves by the origin key. Without such a key, nothing.
    #[default]
    Edge,
    /// The relay on this host, which ends TLS and puts a PROXY header in front of each connection. The server listens on
    /// loopback alone.
    Relay,
    /// CloudFront, as with [`Entrance::Edge`], behind the relay, as with [`Entrance::Relay`]: that ends CloudFront's TLS.
    RelayedEdge,
    /// A Cloudflare Tunnel from this host, through which all requests carry Cloudflare's header with the client's
    /// address. The server listens on loopback alone.
    Tunnel,
}

impl Entrance {
    /// Returns whether requests prove by the origin key that they came through the edge.
    pub fn has_edge(self) -> bool {
        matches!(self, Self::Edge | Self::RelayedEdge)
    }

    /// Returns whether the relay of the host puts a PROXY header in front of each connection.
    pub fn is_relayed(self) -> bool {
        matches!(self, Self::Relay | Self::RelayedEdge)
    }

    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "edge" => Self::Edge,
            "relay" => Self::Relay,
            "relayed-edge" => Self::RelayedEdge,
            "tunnel" => Self::Tunnel,
            _ => return None,
        })
    }
}

impl Variables<'_> {
    /// Returns what is in front of the signaling server.
    pub(super) fn entrance(&self) -> Result<Entrance, SettingError> {
        let expected = "one of edge, relay, relayed-edge, tunnel";
        self.parsed("ENTRANCE", expected, Entrance::default(), Entrance::parse)
    }

    /// Returns where `cloudflared` tells the address of its quick tunnel.
    pub(super) fn tunnel_metrics(&self) -> Result<Option<SocketAddr>, SettingError> {
        let parse = |text: &str| text.parse().ok().map(Some);
        self.parsed("TUNNEL_METRICS", "an address like 127.0.0.1:20241", None, parse)
    }
}
