//! The settings of the relay, in addition to [`Settings`](super::Settings).

use std::net::Ipv4Addr;
use std::path::PathBuf;

use super::{SettingError, Variables};

/// The bytes of a gigabyte, as `turn.monthly_gb` counts.
const GIGABYTE: u64 = 1_000_000_000;
/// What may be relayed in a month by default, in gigabytes: what AWS gives away, see `turn.monthly_gb`.
const MONTHLY_GB: u64 = 100;

/// The settings of the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelaySettings {
    /// The host's public address, of which allocations get ports.
    pub address: Ipv4Addr,
    /// The UDP ports. Default 3478.
    pub udp_ports: Vec<u16>,
    /// The TCP ports without TLS. Default 3478.
    pub tcp_ports: Vec<u16>,
    /// The TCP ports with TLS. Default none.
    pub tls_ports: Vec<u16>,
    /// The files with the certificate and its key, for `tls_ports`.
    pub certificate: Option<Files>,
    /// What may be relayed in a month, in bytes. Default 100 GB.
    pub monthly_bytes: u64,
}

/// The files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The certificate with its chain, in PEM.
    pub certificate: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
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
        let address = variables.required("RELAY_ADDRESS")?;
        let invalid = SettingError::Invalid { name: "RELAY_ADDRESS", expected: "an IPv4 address" };
        let gigabytes =
            variables.parsed("RELAY_MONTHLY_GB", "a number of gigabytes", MONTHLY_GB, |text| text.parse().ok())?;
        let settings = Self {
            address: address.parse().map_err(|_| invalid)?,
            udp_ports: ports(&variables, "RELAY_UDP_PORTS", &[3478])?,
            tcp_ports: ports(&variables, "RELAY_TCP_PORTS", &[3478])?,
            tls_ports: ports(&variables, "RELAY_TLS_PORTS", &[])?,
            certificate: files(&variables),
            monthly_bytes: gigabytes.saturating_mul(GIGABYTE),
        };
        if !settings.tls_ports.is_empty() && settings.certificate.is_none() {
            return Err(SettingError::Missing("RELAY_CERTIFICATE"));
        }
        Ok(settings)
    }
}

fn ports(variables: &Variables<'_>, name: &'static str, default: &[u16]) -> Result<Vec<u16>, SettingError> {
    variables.parsed(name, "a list of ports like 3478,443", default.to_vec(), |text| {
        text.split(',').map(|port| port.trim().parse().ok().filter(|port| *port > 0)).collect()
    })
}

fn files(variables: &Variables<'_>) -> Option<Files> {
    let path = |name| variables.get(name).map(PathBuf::from);
    Some(Files { certificate: path("RELAY_CERTIFICATE")?, key: path("RELAY_KEY")? })
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
        assert_eq!((settings.udp_ports, settings.tcp_ports, settings.tls_ports), (vec![3478], vec![3478], vec![]));
        assert_eq!(settings.monthly_bytes, 100_000_000_000);
        assert_eq!(read(&[]), Err(SettingError::Missing("RELAY_ADDRESS")));
    }

    #[test]
    fn ports_and_files_are_read() {
        let settings = read(&[
            ("RELAY_ADDRESS", "192.0.2.1"),
            ("RELAY_TCP_PORTS", "3478, 443"),
            ("RELAY_TLS_PORTS", "5349"),
            ("RELAY_CERTIFICATE", "/run/c.pem"),
            ("RELAY_KEY", "/run/k.pem"),
            ("RELAY_MONTHLY_GB", "0"),
        ])
        .unwrap();
        assert_eq!((settings.tcp_ports, settings.tls_ports, settings.monthly_bytes), (vec![3478, 443], vec![5349], 0));
        assert_eq!(settings.certificate.unwrap().key, PathBuf::from("/run/k.pem"));
    }

    #[test]
    fn invalid_values_are_named() {
        for (name, value) in [
            ("RELAY_ADDRESS", "2001:db8::1"),
            ("RELAY_UDP_PORTS", "3478;443"),
            ("RELAY_TCP_PORTS", "0"),
            ("RELAY_TLS_PORTS", "70000"),
            ("RELAY_MONTHLY_GB", "-1"),
        ] {
            let error = read(&[(name, value), ("RELAY_ADDRESS", "192.0.2.1")]).unwrap_err().to_string();
            assert!(error.contains(name) && !error.contains(value), "{error}");
        }
        let without = read(&[("RELAY_ADDRESS", "192.0.2.1"), ("RELAY_TLS_PORTS", "5349")]);
        assert_eq!(without, Err(SettingError::Missing("RELAY_CERTIFICATE")));
    }
}
