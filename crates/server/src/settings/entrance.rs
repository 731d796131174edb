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
    /// Both behind the relay: CloudFront, as with [`Entrance::RelayedEdge`], at the relay's port with this number, and
    /// everybody else, as with [`Entrance::Relay`], at its others.
    RelayAndEdge(u16),
    /// A Cloudflare Tunnel from this host, through which all requests carry Cloudflare's header with the client's
    /// address. The server listens on loopback alone.
    Tunnel,
}

impl Entrance {
    /// Returns whether requests prove by the origin key that they came through the edge.
    pub fn has_edge(self) -> bool {
        matches!(self, Self::Edge | Self::RelayedEdge | Self::RelayAndEdge(_))
    }

    /// Returns whether the relay of the host puts a PROXY header in front of each connection.
    pub fn is_relayed(self) -> bool {
        matches!(self, Self::Relay | Self::RelayedEdge | Self::RelayAndEdge(_))
    }

    /// Returns what is in front of the server for a connection to this port of the relay; `None` if it is the host's own.
    #[must_use]
    pub fn at(self, port: Option<u16>) -> Self {
        match self {
            Self::RelayAndEdge(edge) if port == Some(edge) => Self::RelayedEdge,
            Self::RelayAndEdge(_) => Self::Relay,
            other => other,
        }
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
        let entrance = self.parsed("ENTRANCE", expected, Entrance::default(), Entrance::parse)?;
        let edge: Option<u16> = self.parsed("EDGE_PORT", "a port", None, |text| text.parse().ok().map(Some))?;
        Ok(match (entrance, edge) {
            (Entrance::Relay, Some(port)) => Entrance::RelayAndEdge(port),
            (entrance, _) => entrance,
        })
    }

    /// Returns where `cloudflared` tells the address of its quick tunnel.
    pub(super) fn tunnel_metrics(&self) -> Result<Option<SocketAddr>, SettingError> {
        let parse = |text: &str| text.parse().ok().map(Some);
        self.parsed("TUNNEL_METRICS", "an address like 127.0.0.1:20241", None, parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_of_the_edge_is_the_only_one_behind_which_requests_prove_themselves() {
        let read = |pairs: &'static [(&str, &str)]| {
            let look_up = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
            Variables(&look_up).entrance()
        };
        let both = read(&[("ENTRANCE", "relay"), ("EDGE_PORT", "8080")]).unwrap_or_default();
        assert_eq!(both, Entrance::RelayAndEdge(8080));
        assert!(both.has_edge() && both.is_relayed());
        assert_eq!(both.at(Some(8080)), Entrance::RelayedEdge);
        assert_eq!([both.at(Some(443)), both.at(None)], [Entrance::Relay; 2]);
        for (name, alone) in [("relay", Entrance::Relay), ("relayed-edge", Entrance::RelayedEdge)] {
            assert_eq!(Entrance::parse(name), Some(alone));
            assert_eq!([alone.at(Some(8080)), alone.at(Some(443)), alone.at(None)], [alone; 3]);
        }
        assert_eq!(read(&[("ENTRANCE", "edge"), ("EDGE_PORT", "8080")]).ok(), Some(Entrance::Edge));
        assert!(read(&[("ENTRANCE", "relay"), ("EDGE_PORT", "any")]).is_err());
    }
}
