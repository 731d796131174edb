//! The certificate of `--https`: made once for the names of this computer, kept in the data folder.

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
/// What the certificate was made for; another text means that a new one is made.
const MADE_FOR: &str = "certificate-names";

/// The names that the certificate is for: `localhost`, loopback and the address in the network, where there is one.
pub fn names(network: Option<IpAddr>) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    names.extend(network.filter(|address| !address.is_loopback()).map(|address| address.to_string()));
    names
}

/// The acceptor with the kept certificate, or with a new one; in memory alone where there is no folder.
///
/// # Errors
/// A kept file that is no certificate or key; a folder that cannot be written.
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

/// Browsers take certificates of up to 825 days from authorities that a person trusts by hand.
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

/// The folder is readable by its owner alone, so the key is too.
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
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;

    #[test]
    fn the_certificate_is_kept_and_made_anew_for_other_names() {
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
    fn a_damaged_key_is_named_with_the_mend() {
        let folder = tempfile::tempdir().unwrap();
        acceptor(Some(folder.path()), &names(None)).unwrap();
        std::fs::write(folder.path().join(KEY), "no key").unwrap();
        let Err(error) = acceptor(Some(folder.path()), &names(None)) else { panic!("a text was taken for a key") };
        let help = miette::Diagnostic::help(&error).unwrap().to_string();
        assert!(help.contains(CERTIFICATE), "{help}");
    }

    #[test]
    fn without_a_folder_nothing_is_written() {
        assert!(acceptor(None, &names(None)).is_ok());
    }
}
