//! The certificates of authorities that this program trusts: the system's, or those of one file in their place, as for the
//! AWS command line.

use std::sync::Arc;

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use peersync_engine::ResourceError;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// The variable that names the file, before the setting of the profile.
const VARIABLE: &str = "AWS_CA_BUNDLE";
/// The setting of a profile that names the file.
pub(super) const SETTING: &str = "ca_bundle";

const SUMMARY: &str = "failed to read the certificates of the authorities to trust";

/// The certificates to trust.
#[derive(Clone, Debug, Default)]
pub(super) struct Trust {
    /// Certificates in PEM; `None` for the system's.
    bundle: Option<Arc<Vec<u8>>>,
}

impl Trust {
    /// Reads the file that the environment names, or else the profile.
    ///
    /// # Errors
    /// Names the file and who names it, if it cannot be read or holds no usable certificates.
    pub(super) fn read(of_profile: Option<&str>) -> Result<Self, ResourceError> {
        let of_environment = super::proxy::variable(VARIABLE).filter(|path| !path.is_empty());
        let (named_by, path) = match (of_environment, of_profile) {
            (Some(path), _) => (format!("the variable {VARIABLE}"), path),
            (None, Some(path)) => (format!("`{SETTING}` of the AWS profile"), path.to_owned()),
            (None, None) => return Ok(Self::default()),
        };
        let failed = |reason: String| {
            ResourceError::new(SUMMARY)
                .caused_by(format!("{path}, named by {named_by}: {reason}"))
                .hint("name a file with certificates in PEM, or unset it")
        };
        let pem = std::fs::read(&path).map_err(|error| failed(error.to_string()))?;
        check(&pem).map_err(failed)?;
        Ok(Self { bundle: Some(Arc::new(pem)) })
    }

    /// Returns it in the form of the SDK's clients.
    pub(super) fn of_sdk(&self) -> Result<TlsContext, ResourceError> {
        let store = match &self.bundle {
            Some(pem) => TrustStore::empty().with_pem_certificate(pem.to_vec()),
            None => TrustStore::default(),
        };
        TlsContext::builder()
            .with_trust_store(store)
            .build()
            .map_err(|error| ResourceError::new(SUMMARY).caused_by(error))
    }

    /// Returns it in the form of other clients; `None` for the system's certificates.
    pub(super) fn certificates(&self) -> Result<Option<Vec<reqwest::Certificate>>, ResourceError> {
        let parsed = self.bundle.as_ref().map(|pem| reqwest::Certificate::from_pem_bundle(pem)).transpose();
        parsed.map_err(|error| ResourceError::new(SUMMARY).caused_by(error))
    }
}

/// Checks that a file holds certificates, all of which can be used: the SDK's client ends the program otherwise.
fn check(pem: &[u8]) -> Result<(), String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| error.to_string())?;
    if certificates.is_empty() {
        return Err("it holds no certificate".to_owned());
    }
    let mut store = RootCertStore::empty();
    certificates.into_iter().try_for_each(|one| store.add(one)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn file_without_usable_certificates_is_refused() {
        for text in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            check(text.as_bytes()).unwrap_err();
        }
    }
}
