//! A certificate as it is kept in the stack. It is JSON, and base64 instead of PEM: a parameter of the standard tier holds
//! 4 KB, and a certificate of Let's Encrypt with its chain and key takes 3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use instant_acme::CertificateIdentifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It is not in the form that this program writes.
    #[error("it is not in the form that this program writes")]
    Form,
    /// It cannot be parsed.
    #[error("it is no certificate")]
    NoCertificate,
    /// The certificate and the key do not fit together, or TLS does not support them.
    #[error("TLS cannot use it: {0}")]
    Tls(#[from] rustls::Error),
}

/// A certificate with its chain and its key.
#[derive(Clone, Serialize, Deserialize)]
pub struct KeptCertificate {
    /// The name of the host.
    pub(crate) domain: String,
    /// The authority's directory, by which one for tests is told from the real one.
    pub(crate) directory: String,
    /// The certificate and its chain.
    chain: Vec<String>,
    /// The key, in the form of PKCS #8.
    key: String,
}

impl KeptCertificate {
    /// Returns what an authority has issued, in PEM, with its key.
    ///
    /// # Errors
    /// It is no PEM.
    pub fn issued(domain: &str, directory: &str, chain: &str, key: &str) -> Result<Self, Unusable> {
        let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<Vec<_>, _>>();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| Unusable::Form)?;
        Ok(Self {
            domain: domain.to_owned(),
            directory: directory.to_owned(),
            chain: chain.map_err(|_| Unusable::Form)?.iter().map(|one| STANDARD_NO_PAD.encode(one)).collect(),
            key: STANDARD_NO_PAD.encode(key.secret_der()),
        })
    }

    /// Reads one that is kept.
    ///
    /// # Errors
    /// It has another form.
    pub(crate) fn parse(text: &str) -> Result<Self, Unusable> {
        serde_json::from_str(text).map_err(|_| Unusable::Form)
    }

    /// Returns the text that is kept.
    pub fn text(&self) -> String {
        // Strings alone are always written.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, Unusable> {
        let decoded = self.chain.iter().map(|one| STANDARD_NO_PAD.decode(one).map(CertificateDer::from));
        decoded.collect::<Result<_, _>>().map_err(|_| Unusable::Form)
    }

    /// Returns it as TLS needs it.
    ///
    /// # Errors
    /// TLS cannot use it.
    pub(crate) fn certified(&self) -> Result<CertifiedKey, Unusable> {
        let key = STANDARD_NO_PAD.decode(&self.key).map_err(|_| Unusable::Form)?;
        let key = PrivateKeyDer::try_from(key).map_err(|_| Unusable::Form)?;
        Ok(CertifiedKey::from_der(self.chain()?, key, &ring::default_provider())?)
    }

    /// Returns by what its authority knows it (RFC 9773, section 4.1); `None` if it does not name its issuer.
    pub(crate) fn identifier(&self) -> Option<CertificateIdentifier<'static>> {
        CertificateIdentifier::try_from(self.chain().ok()?.first()?).ok()
    }

    /// Returns from when to when it is valid, in seconds since 1970.
    ///
    /// # Errors
    /// It is no certificate.
    pub(crate) fn validity(&self) -> Result<Validity, Unusable> {
        let chain = self.chain()?;
        let first = chain.first().ok_or(Unusable::NoCertificate)?;
        let (_, parsed) = x509_parser::parse_x509_certificate(first).map_err(|_| Unusable::NoCertificate)?;
        let validity = parsed.validity();
        Ok(Validity { from: validity.not_before.timestamp(), until: validity.not_after.timestamp() })
    }
}

/// From when to when a certificate is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub from: i64,
    pub until: i64,
}

impl Validity {
    /// Returns when it is to be renewed: when the authority suggests it. If it does not, when two thirds are over, as Let's
    /// Encrypt recommends (<https://letsencrypt.org/docs/integration-guide/>), so that a month is left for failures. Whatever
    /// it suggests, half of that month is left.
    pub(crate) fn renewal(self, suggested: Option<i64>) -> i64 {
        let third = (self.until - self.from) / 3;
        suggested.map_or(self.until - third, |suggested| suggested.min(self.until - third / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued(chain: usize) -> KeptCertificate {
        let signed = rcgen::generate_simple_self_signed(["signal.example.org".to_owned()]).unwrap();
        let chain = signed.cert.pem().repeat(chain);
        KeptCertificate::issued("signal.example.org", "https://a.example", &chain, &signed.signing_key.serialize_pem())
            .unwrap()
    }

    #[test]
    fn what_is_kept_can_be_used_again() {
        let kept = KeptCertificate::parse(&issued(2).text()).unwrap();
        assert_eq!((kept.domain.as_str(), kept.directory.as_str()), ("signal.example.org", "https://a.example"));
        assert_eq!(kept.certified().unwrap().cert.len(), 2);
        assert!(kept.validity().unwrap().until > kept.validity().unwrap().from);
    }

    #[test]
    fn what_is_none_is_told_from_one() {
        for text in ["", "none", "{}", "[]"] {
            assert!(matches!(KeptCertificate::parse(text), Err(Unusable::Form)), "{text}");
        }
        let (mut kept, other) = (issued(1), issued(1));
        kept.key = other.key;
        assert!(matches!(kept.certified(), Err(Unusable::Tls(_))));
        kept.chain = vec!["AAAA".to_owned()];
        assert!(matches!(kept.validity(), Err(Unusable::NoCertificate)));
        kept.chain.clear();
        assert!(matches!(kept.validity(), Err(Unusable::NoCertificate)));
    }

    #[test]
    fn it_is_renewed_a_month_before_it_expires() {
        const DAY: i64 = 86_400;
        assert_eq!(Validity { from: 0, until: 90 * DAY }.renewal(None), 60 * DAY);
    }

    #[test]
    fn authority_that_suggests_a_moment_is_followed_but_not_into_the_last_days() {
        const DAY: i64 = 86_400;
        let renewal = |suggested| Validity { from: 0, until: 90 * DAY }.renewal(Some(suggested));
        assert_eq!([-DAY, DAY, 70 * DAY].map(renewal), [-DAY, DAY, 70 * DAY]);
        assert_eq!([80 * DAY, i64::MAX].map(renewal), [75 * DAY; 2]);
    }

    /// The sizes of a certificate of Let's Encrypt with two signed timestamps (1,000 bytes), and of its issuer (1,130).
    #[test]
    fn certificate_of_lets_encrypt_fits_into_a_parameter() {
        let mut kept = issued(2);
        kept.chain = [1000, 1130].map(|size| STANDARD_NO_PAD.encode(vec![0; size])).to_vec();
        kept.directory = crate::LETS_ENCRYPT.to_owned();
        assert!(kept.text().len() < 3600, "{}", kept.text().len());
    }
}
