//! Whether the name of the host leads to this host. An order would fail otherwise, and authorities count that: before the
//! owner has pointed the name, or before the address has moved from the host that this one replaces.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::certificates::{CHALLENGE, Certificates};

/// How long it may take to reach oneself.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why the name does not lead here.
#[derive(Debug, thiserror::Error)]
pub enum Unreached {
    /// A connection to it fails.
    #[error(
        "a connection to {domain} fails ({source}); point the name to the address that `peersync-deploy outputs` shows"
    )]
    Connection {
        /// The name.
        domain: String,
        /// The cause.
        source: io::Error,
    },
    /// Somebody else answers.
    #[error("{0} leads to another host; point the name to the address that `peersync-deploy outputs` shows")]
    Elsewhere(String),
    /// A certificate cannot be made.
    #[error("a certificate for the test cannot be made: {0}")]
    Certificate(String),
}

/// Connects to the name as an authority would, and checks that this program answers: with a certificate that was made a
/// moment ago.
///
/// # Errors
/// The name does not lead here.
pub(crate) async fn check(domain: &str, port: u16, certificates: &Certificates) -> Result<(), Unreached> {
    let made = |error: rcgen::Error| Unreached::Certificate(error.to_string());
    let certificate = self_signed(domain, None).map_err(made)?;
    let mut roots = RootCertStore::empty();
    let rejected = |error: rustls::Error| Unreached::Certificate(error.to_string());
    for one in &certificate.cert {
        roots.add(one.clone()).map_err(rejected)?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(rejected)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![CHALLENGE.to_vec()];
    let name = ServerName::try_from(domain.to_owned()).map_err(|error| Unreached::Certificate(error.to_string()))?;
    let _answer = certificates.answer(certificate);
    let failed = |source| Unreached::Connection { domain: domain.to_owned(), source };
    let reach = async {
        let stream = TcpStream::connect((domain, port)).await.map_err(failed)?;
        let shown = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        shown.map(|_| ()).map_err(|_| Unreached::Elsewhere(domain.to_owned()))
    };
    timeout(DEADLINE, reach).await.unwrap_or_else(|_| Err(failed(io::ErrorKind::TimedOut.into())))
}

/// Returns a certificate that this program has signed itself: with the proof of a challenge, or for [`check`].
///
/// # Errors
/// The name is none.
pub(crate) fn self_signed(domain: &str, proof: Option<&[u8]>) -> Result<CertifiedKey, rcgen::Error> {
    let mut parameters = CertificateParams::new(vec![domain.to_owned()])?;
    if let Some(proof) = proof.filter(|proof| proof.len() == 32) {
        parameters.custom_extensions = vec![CustomExtension::new_acme_identifier(proof)];
    }
    let key = KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    let key = ring::sign::any_supported_type(&key).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    // The two are not compared, for which the certificate would have to be parsed: the proof is an extension that has to
    // be understood, and is not.
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
}
