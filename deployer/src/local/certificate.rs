//! The certificate of `--https`: created once for the names of this computer, and kept in the data folder.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::LocalError;

const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "certificate-key.pem";
/// The file that records what the certificate was created for; if that is not enough, a new one is created.
const MADE_FOR: &str = "certificate-names";
/// The names that every certificate has.
const USUAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// The maximum number of names in a certificate. The oldest networks of a laptop are forgotten beyond it.
const MOST_NAMES: usize = 32;

/// The certificate of a running `local`. Browsers send no name for an address, so one certificate has to cover all of
/// them.
pub struct Certificates {
    folder: Option<PathBuf>,
    current: Mutex<Current>,
}

/// What is in use, and the names that it covers.
struct Current {
    names: Vec<String>,
    acceptor: TlsAcceptor,
}

impl Certificates {
    /// Returns the kept certificate if it covers these addresses, or a new one. Without a folder it is kept in memory
    /// only.
    ///
    /// # Errors
    /// Fails if a kept file is not a certificate or key, or if the folder cannot be written.
    pub fn new(folder: Option<&Path>, addresses: &[IpAddr]) -> Result<Self, LocalError> {
        let names = names(addresses);
        Ok(Self { folder: folder.map(Path::to_owned), current: Mutex::new(current(folder, names)?) })
    }

    /// Returns the acceptor for a connection that arrived at this address. An address that the computer got while it
    /// runs is added to the certificate.
    ///
    /// # Errors
    /// As for [`Certificates::new`].
    pub fn acceptor(&self, local: IpAddr) -> Result<TlsAcceptor, LocalError> {
        let name = local.to_canonical().to_string();
        let mut kept = self.current.lock();
        if !kept.names.contains(&name) {
            let names = USUAL.map(str::to_owned).into_iter().chain([name]).chain(kept.names.iter().cloned());
            *kept = current(self.folder.as_deref(), distinct(names))?;
        }
        Ok(kept.acceptor.clone())
    }
}

fn names(addresses: &[IpAddr]) -> Vec<String> {
    distinct(USUAL.map(str::to_owned).into_iter().chain(addresses.iter().map(IpAddr::to_string)))
}

/// Returns the first of these names, each once.
fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for name in names {
        if distinct.len() < MOST_NAMES && !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}

/// Returns a certificate for at least these names: the kept one, or a new one that also has the names of the kept one,
/// because a laptop returns to the networks that it was in.
fn current(folder: Option<&Path>, names: Vec<String>) -> Result<Current, LocalError> {
    let failed =
        |reason: String| LocalError::Certificate { folder: folder.unwrap_or(Path::new(".")).join(CERTIFICATE), reason };
    let year = this_year();
    let kept = folder.and_then(|folder| kept(folder, year));
    let (names, (certificate, key)) = match kept {
        Some((known, pair)) if names.iter().all(|name| known.contains(name)) => (known, pair),
        kept => {
            let names = distinct(names.into_iter().chain(kept.into_iter().flat_map(|(known, _)| known)));
            let pair = make(&names, year).map_err(|error| failed(error.to_string()))?;
            if let Some(folder) = folder {
                keep(folder, &pair, &made_for(&names, year)).map_err(|error| failed(error.to_string()))?;
            }
            (names, pair)
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
    Ok(Current { names, acceptor: TlsAcceptor::from(Arc::new(config)) })
}

/// Returns what is recorded about a certificate.
fn made_for(names: &[String], year: i32) -> String {
    format!("{} until {}", names.join(" "), year + 2)
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

/// Returns the kept certificate of this year, with its names.
fn kept(folder: &Path, year: i32) -> Option<(Vec<String>, Pair)> {
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let recorded = text(MADE_FOR)?;
    let names: Vec<String> = recorded.split(" until ").next()?.split(' ').map(str::to_owned).collect();
    (recorded == made_for(&names, year)).then_some(())?;
    Some((names, (text(CERTIFICATE)?, text(KEY)?)))
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

    const HOME: [u8; 4] = [192, 168, 1, 7];
    const OFFICE: [u8; 4] = [10, 0, 0, 5];

    fn start(folder: &Path, addresses: &[[u8; 4]]) -> Certificates {
        let addresses: Vec<IpAddr> = addresses.iter().copied().map(IpAddr::from).collect();
        Certificates::new(Some(folder), &addresses).unwrap()
    }

    #[test]
    fn certificate_is_kept_as_long_as_it_covers_the_addresses() {
        let folder = tempfile::tempdir().unwrap();
        let read = || std::fs::read_to_string(folder.path().join(CERTIFICATE)).unwrap();
        start(folder.path(), &[HOME]);
        let first = read();
        start(folder.path(), &[HOME]);
        start(folder.path(), &[]);
        assert_eq!(first, read());
        start(folder.path(), &[OFFICE]);
        let second = read();
        assert_ne!(first, second);
        start(folder.path(), &[HOME, OFFICE]);
        assert_eq!(second, read(), "a laptop that comes home keeps its certificate");
    }

    #[test]
    fn new_address_is_added_while_running() {
        let folder = tempfile::tempdir().unwrap();
        let certificates = start(folder.path(), &[HOME]);
        certificates.acceptor(HOME.into()).unwrap();
        assert!(!certificates.current.lock().names.contains(&"10.0.0.5".to_owned()));
        certificates.acceptor(OFFICE.into()).unwrap();
        let names = certificates.current.lock().names.clone();
        assert_eq!(names, ["localhost", "127.0.0.1", "::1", "10.0.0.5", "192.168.1.7"]);
        let mapped: IpAddr = "::ffff:10.0.0.5".parse().unwrap();
        certificates.acceptor(mapped).unwrap();
        assert_eq!(certificates.current.lock().names, names);
    }

    #[test]
    fn number_of_names_is_bounded() {
        let certificates = Certificates::new(None, &[]).unwrap();
        for last in 0..40 {
            certificates.acceptor(IpAddr::from([127, 0, 1, last])).unwrap();
        }
        let names = certificates.current.lock().names.clone();
        assert_eq!(names.len(), MOST_NAMES);
        assert!(names.contains(&"127.0.1.39".to_owned()) && names.contains(&"localhost".to_owned()), "{names:?}");
    }

    #[test]
    fn damaged_key_is_an_error_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        start(folder.path(), &[]);
        std::fs::write(folder.path().join(KEY), "no key").unwrap();
        let Err(error) = Certificates::new(Some(folder.path()), &[]) else { panic!("a text was accepted as a key") };
        let help = miette::Diagnostic::help(&error).unwrap().to_string();
        assert!(help.contains(CERTIFICATE), "{help}");
    }
}
