//! Which certificate a connection is shown.

use std::sync::Arc;

use parking_lot::RwLock;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The protocol by which an authority asks for the certificate that answers its challenge (RFC 8737, section 6.2).
pub(crate) const CHALLENGE: &[u8] = b"acme-tls/1";

/// The certificates that are shown at present.
#[derive(Debug, Default)]
pub struct Certificates {
    current: RwLock<Option<Shown>>,
    /// That of the name that the stack has had before, for whoever asks for it.
    former: RwLock<Option<(String, Arc<CertifiedKey>)>>,
    challenge: RwLock<Option<Arc<CertifiedKey>>>,
}

/// A certificate for clients.
#[derive(Debug)]
struct Shown {
    certificate: Arc<CertifiedKey>,
    /// When it ends, in seconds since 1970.
    until: i64,
}

impl Certificates {
    /// Returns whether there is a certificate for clients.
    pub fn is_ready(&self) -> bool {
        self.current.read().is_some()
    }

    /// Returns when the certificate for clients ends, in seconds since 1970.
    pub fn until(&self) -> Option<i64> {
        self.current.read().as_ref().map(|shown| shown.until)
    }

    /// Shows clients this certificate from now on, which ends at `until`.
    pub(crate) fn show(&self, certificate: CertifiedKey, until: i64) {
        *self.current.write() = Some(Shown { certificate: Arc::new(certificate), until });
    }

    /// Shows this certificate to clients that ask for the name `domain`, which the stack has had before.
    pub(crate) fn show_former(&self, domain: String, certificate: CertifiedKey) {
        *self.former.write() = Some((domain, Arc::new(certificate)));
    }

    /// Shows authorities this certificate, until the result is dropped.
    pub(crate) fn answer(&self, certificate: CertifiedKey) -> Answer<'_> {
        *self.challenge.write() = Some(Arc::new(certificate));
        Answer(self)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.alpn().is_some_and(|mut protocols| protocols.any(|one| one == CHALLENGE));
        if asked {
            return self.challenge.read().clone();
        }
        let name = hello.server_name().unwrap_or_default();
        let former = self.former.read().as_ref().filter(|(domain, _)| domain.eq_ignore_ascii_case(name)).cloned();
        former
            .map(|(_, certificate)| certificate)
            .or_else(|| self.current.read().as_ref().map(|shown| Arc::clone(&shown.certificate)))
    }
}

/// A certificate that is shown to authorities.
pub(crate) struct Answer<'a>(&'a Certificates);

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        *self.0.challenge.write() = None;
    }
}
