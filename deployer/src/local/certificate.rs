//! The certificate of `--https`: created once for the names of this computer, and kept in the data folder.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::LocalError;

const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "certificate-key.pem";
/// The file that records what the certificate was created for; if that changes, a new one is created.
const MADE_FOR: &str = "certificate-names";

/// Returns the names of the certificate: `localhost`, loopback, and the address in the network, if known.
pub fn names(network: Option<IpAddr>) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    names.extend(network.filter(|address| !address.is_loopback()).map(|address| address.to_string()));
    names
}

/// Returns the TLS acceptor with the kept certificate, or with a new one. Without a folder it is kept in memory only.
///
/// # Errors
/// Fails if a kept file is not a certificate or key, or if the folder cannot be written.
pub fn acceptor(folder: Option<&Path>, names: &[String]) -> Result<TlsAcceptor, LocalError> {
    let failed =
        |reason: String| LocalError::Certificate { folder: folder.unwrap_or(Path::new(".")).join(CERTIFICATE), reason };
    let year = this_year();
    let made_for = format!("{} until {}", names.join(" "), year + 2);
    let kept = folder.and_then(|folder| kept(folder, &made_for));
    let (certificate, key) = match kept {
        Some(pair) => pair,
        None => {
            let pair = make(names, year).map_err(|error| failed(error.to_string()))?;
            if let Some(folder) = folder {
                keep(folder, &pair, &made_for).map_err(|error| failed(error.to_string()))?;
            }
            pair
        }
    };
    let certificate =
        CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|error| failed(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| failed(error.to_string()))?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(|error| failed(error.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Certificate and key as PEM.
type Pair = (String, String);

/// Creates a certificate. Browsers accept up to 825 days from authorities that a person has trusted manually.
fn make(names: &[String], year: i32) -> Result<Pair, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "PeerSync on this computer");
    params.not_before = date_time_ymd(year, 1, 1);
    params.not_after = date_time_ymd(year + 2, 1, 1);
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

fn kept(folder: &Path, made_for: &str) -> Option<Pair> {
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    (text(MADE_FOR)? == made_for).then_some(())?;
    Some((text(CERTIFICATE)?, text(KEY)?))
}

/// Writes the certificate and key. The folder is readable by its owner only, so the key is too.
fn keep(folder: &Path, (certificate, key): &Pair, made_for: &str) -> io::Result<()> {
    std::fs::write(folder.join(KEY), key)?;
    std::fs::write(folder.join(CERTIFICATE), certificate)?;
    std::fs::write(folder.join(MADE_FOR), made_for)
}

fn this_year() -> i32 {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    now.get(..4).and_then(|year| year.parse().ok()).unwrap_or(2026)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic here fails the test")]
    use super::*;

    #[test]
    fn certificate_is_kept_and_recreated_for_other_names() {
        let folder = tempfile::tempdir().unwrap();
        let read = || std::fs::read_to_string(folder.path().join(CERTIFICATE)).unwrap();
        acceptor(Some(folder.path()), &names(None)).unwrap();
        let first = read();
        acceptor(Some(folder.path()), &names(None)).unwrap();
        assert_eq!(first, read());
        acceptor(Some(folder.path()), &names(Some([192, 168, 1, 7].into()))).unwrap();
        assert_ne!(first, read());
    }

    #[test]
    fn damaged_key_is_an_error_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        acceptor(Some(folder.path()), &names(None)).unwrap();
        std::fs::write(folder.path().join(KEY), "no key").unwrap();
        let Err(error) = acceptor(Some(folder.path()), &names(None)) else { panic!("a text was accepted as a key") };
        let help = miette::Diagnostic::help(&error).unwrap().to_string();
        assert!(help.contains(CERTIFICATE), "{help}");
    }

    #[test]
    fn nothing_is_written_without_a_folder() {
        assert!(acceptor(None, &names(None)).is_ok());
    }
}
