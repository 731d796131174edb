//! The certificate for TLS, read again when its files change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::RwLock;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tracing::{info, warn};

/// The interval at which the files are looked at. A certificate is renewed a month before it expires.
const FOLLOW: Duration = Duration::from_secs(60);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read, or is no PEM file.
    #[error("failed to read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rustls::pki_types::pem::Error,
    },
    /// The two do not fit together, or TLS does not support them.
    #[error("the certificate and the key cannot be used for TLS")]
    Unusable(#[from] rustls::Error),
}

/// A certificate with its chain, and its key, in two PEM files.
#[derive(Debug)]
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads a certificate from these files.
    ///
    /// # Errors
    /// A file cannot be read, or TLS cannot use what is in it.
    pub fn read(chain: &Path, key: &Path) -> Result<Self, CertificateError> {
        let current = RwLock::new(Arc::new(load(chain, key)?));
        Ok(Self { chain: chain.to_owned(), key: key.to_owned(), current })
    }

    /// Returns what accepts connections with this certificate.
    pub(super) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, CertificateError> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Self>::clone(self));
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Reads the files again whenever they have changed. If they are no certificate, the old one stays.
    pub(super) async fn follow(self: Arc<Self>) {
        let mut seen = self.changed();
        loop {
            tokio::time::sleep(FOLLOW).await;
            let changed = self.changed();
            if changed == seen {
                continue;
            }
            match load(&self.chain, &self.key) {
                Ok(certificate) => {
                    *self.current.write() = Arc::new(certificate);
                    seen = changed;
                    info!(target: "relay", "the certificate was read again");
                }
                // The next look may find both files written.
                Err(error) => warn!(target: "relay", %error, "the changed certificate cannot be used"),
            }
        }
    }

    /// Returns when each of the files was written last.
    fn changed(&self) -> [Option<SystemTime>; 2] {
        [&self.chain, &self.key].map(|path| std::fs::metadata(path).and_then(|file| file.modified()).ok())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read()))
    }
}

fn load(chain: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let named = |path: &Path| {
        let path = path.to_owned();
        move |source| CertificateError::File { path, source }
    };
    let certificates = CertificateDer::pem_file_iter(chain).map_err(named(chain))?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(named(chain))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(named(key))?;
    Ok(CertifiedKey::from_der(certificates, private, &ring::default_provider())?)
}
