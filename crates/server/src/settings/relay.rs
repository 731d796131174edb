//! The settings of the relay, in addition to [`Settings`](super::Settings).

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::{SettingError, Variables};

/// The bytes of a gigabyte, as `turn.monthly_gb` counts.
const GIGABYTE: u64 = 1_000_000_000;
/// What may be relayed in a month by default, in gigabytes: what AWS gives away, see `turn.monthly_gb`.
const MONTHLY_GB: u64 = 100;
/// The port that is shared with the signaling server.
const HTTPS: u16 = 443;
/// Where the signaling server listens.
const SIGNAL: ([u8; 4], u16) = ([127, 0, 0, 1], 8080);

/// The settings of the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelaySettings {
    /// What it relays; `None` if it only ends TLS in front of the signaling server.
    pub turn: Option<TurnPorts>,
    /// TLS; `None` if the host has no name of its own.
    pub tls: Option<RelayTls>,
}

/// What the relay relays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnPorts {
    /// The host's public address, of which allocations get ports.
    pub address: Ipv4Addr,
    /// The UDP ports. Default 3478.
    pub udp: Vec<u16>,
    /// The TCP ports without TLS. Default 3478.
    pub tcp: Vec<u16>,
    /// The TCP ports with TLS. Default none.
    pub tls: Vec<u16>,
    /// What may be relayed in a month, in bytes. Default 100 GB.
    pub monthly_bytes: u64,
}

/// The relay's TLS, and the port that it shares with the signaling server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayTls {
    /// The name of the host, in lower case.
    pub domain: String,
    /// The shared port. Default 443, at which authorities ask for the proof that the name is the host's.
    pub shared: u16,
    /// The port for CloudFront, if the host has one.
    pub edge: Option<u16>,
    /// Whether everybody reaches the signaling server at the shared port. Default: if there is no port for CloudFront.
    pub direct: bool,
    /// Where the signaling server listens. Default `127.0.0.1:8080`.
    pub signal: SocketAddr,
    /// Where the authority may write to, if anywhere.
    pub email: Option<String>,
    /// The URL of the authority's directory. Default: Let's Encrypt's.
    pub directory: Option<String>,
    /// A file with certificates (PEM) to trust when the authority is asked, instead of the system's.
    pub roots: Option<PathBuf>,
}

impl RelaySettings {
    /// Reads the environment of the process.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_environment() -> Result<Self, SettingError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// Reads variables through `look_up`. Empty ones count as missing.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_variables(look_up: impl Fn(&'static str) -> Option<String>) -> Result<Self, SettingError> {
        let variables = Variables(&look_up);
        let tls = variables.get("RELAY_DOMAIN").map(|domain| tls(&variables, &domain)).transpose()?;
        let turn = variables.get("RELAY_ADDRESS").map(|address| turn(&variables, &address)).transpose()?;
        if turn.is_none() && tls.is_none() {
            return Err(SettingError::Missing("RELAY_ADDRESS"));
        }
        if tls.is_none() && turn.as_ref().is_some_and(|turn| !turn.tls.is_empty()) {
            return Err(SettingError::Missing("RELAY_DOMAIN"));
        }
        Ok(Self { turn, tls })
    }
}

fn turn(variables: &Variables<'_>, address: &str) -> Result<TurnPorts, SettingError> {
    let invalid = SettingError::Invalid { name: "RELAY_ADDRESS", expected: "an IPv4 address" };
    let gigabytes =
        variables.parsed("RELAY_MONTHLY_GB", "a number of gigabytes", MONTHLY_GB, |text| text.parse().ok())?;
    Ok(TurnPorts {
        address: address.parse().map_err(|_| invalid)?,
        udp: ports(variables, "RELAY_UDP_PORTS", &[3478])?,
        tcp: ports(variables, "RELAY_TCP_PORTS", &[3478])?,
        tls: ports(variables, "RELAY_TLS_PORTS", &[])?,
        monthly_bytes: gigabytes.saturating_mul(GIGABYTE),
    })
}

fn tls(variables: &Variables<'_>, domain: &str) -> Result<RelayTls, SettingError> {
    let (shared, signal) = ("a port", "an address like 127.0.0.1:8080");
    let port = |text: &str| text.parse().ok().filter(|port| *port > 0);
    let address = |text: &str| text.parse().ok();
    let edge = variables.parsed("RELAY_EDGE_PORT", shared, None, |text| port(text).map(Some))?;
    Ok(RelayTls {
        domain: domain.to_ascii_lowercase(),
        shared: variables.parsed("RELAY_SHARED_PORT", shared, HTTPS, port)?,
        edge,
        direct: variables.parsed("RELAY_DIRECT", "true or false", edge.is_none(), |text| text.parse().ok())?,
        signal: variables.parsed("RELAY_SIGNAL", signal, SIGNAL.into(), address)?,
        email: variables.get("RELAY_ACME_EMAIL"),
        directory: variables.get("RELAY_ACME_DIRECTORY"),
        roots: variables.get("RELAY_ACME_ROOTS").map(PathBuf::from),
    })
}

fn ports(variables: &Variables<'_>, name: &'static str, default: &[u16]) -> Result<Vec<u16>, SettingError> {
    variables.parsed(name, "a list of ports like 3478,443", default.to_vec(), |text| {
        text.split(',').map(|port| port.trim().parse().ok().filter(|port| *port > 0)).collect()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<RelaySettings, SettingError> {
        RelaySettings::from_variables(|name| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned()))
    }

    #[test]
    fn address_is_the_only_required_variable() {
        let settings = read(&[("RELAY_ADDRESS", "192.0.2.1")]).unwrap();
        let turn = settings.turn.unwrap();
        assert_eq!((turn.udp, turn.tcp, turn.tls), (vec![3478], vec![3478], vec![]));
        assert_eq!((turn.monthly_bytes, settings.tls), (100_000_000_000, None));
        assert_eq!(read(&[]), Err(SettingError::Missing("RELAY_ADDRESS")));
    }

    #[test]
    fn name_is_all_that_tls_needs_and_suffices_without_turn() {
        let settings = read(&[("RELAY_DOMAIN", "Signal.Example.org")]).unwrap();
        let tls = settings.tls.unwrap();
        assert_eq!(settings.turn, None);
        assert_eq!((tls.domain.as_str(), tls.shared), ("signal.example.org", 443));
        assert_eq!((tls.edge, tls.direct), (None, true));
        for (direct, expected) in [("", false), ("true", true), ("false", false)] {
            let variables = [("RELAY_DOMAIN", "a.example"), ("RELAY_EDGE_PORT", "8080"), ("RELAY_DIRECT", direct)];
            assert_eq!(read(&variables).unwrap().tls.unwrap().direct, expected, "{direct}");
        }
        assert_eq!((tls.signal, tls.email, tls.directory), ("127.0.0.1:8080".parse().unwrap(), None, None));
    }

    #[test]
    fn ports_and_authority_are_read() {
        let settings = read(&[
            ("RELAY_ADDRESS", "192.0.2.1"),
            ("RELAY_TCP_PORTS", "3478, 443"),
            ("RELAY_TLS_PORTS", "5349"),
            ("RELAY_DOMAIN", "a.example"),
            ("RELAY_SHARED_PORT", "8443"),
            ("RELAY_EDGE_PORT", "8080"),
            ("RELAY_ACME_EMAIL", "me@a.example"),
            ("RELAY_ACME_DIRECTORY", "https://ca.example/dir"),
            ("RELAY_ACME_ROOTS", "/run/ca.pem"),
            ("RELAY_MONTHLY_GB", "0"),
        ])
        .unwrap();
        let (turn, tls) = (settings.turn.unwrap(), settings.tls.unwrap());
        assert_eq!((turn.tcp, turn.tls, turn.monthly_bytes), (vec![3478, 443], vec![5349], 0));
        assert_eq!((tls.shared, tls.edge, tls.roots), (8443, Some(8080), Some(PathBuf::from("/run/ca.pem"))));
        assert_eq!(tls.email.zip(tls.directory), Some(("me@a.example".into(), "https://ca.example/dir".into())));
    }

    #[test]
    fn invalid_values_are_named() {
        for (name, value) in [
            ("RELAY_ADDRESS", "2001:db8::1"),
            ("RELAY_UDP_PORTS", "3478;443"),
            ("RELAY_TCP_PORTS", "0"),
            ("RELAY_TLS_PORTS", "70000"),
            ("RELAY_SHARED_PORT", "0"),
            ("RELAY_EDGE_PORT", "0"),
            ("RELAY_DIRECT", "perhaps"),
            ("RELAY_SIGNAL", "elsewhere"),
            ("RELAY_MONTHLY_GB", "-1"),
        ] {
            let pairs = [(name, value), ("RELAY_ADDRESS", "192.0.2.1"), ("RELAY_DOMAIN", "a.example")];
            let error = read(&pairs).unwrap_err().to_string();
            assert!(error.contains(name) && !error.contains(value), "{error}");
        }
        let without = read(&[("RELAY_ADDRESS", "192.0.2.1"), ("RELAY_TLS_PORTS", "5349")]);
        assert_eq!(without, Err(SettingError::Missing("RELAY_DOMAIN")));
    }
}
