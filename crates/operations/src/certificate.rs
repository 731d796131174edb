//! Reads until when the certificate of a host with a name of its own is valid, in a TLS handshake.

use std::time::{Duration, SystemTime};

use rustls::RootCertStore;
use tokio::time::timeout;

use crate::tls;

/// How long the handshake may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// The port at which the host has its certificate.
const PORT: u16 = 443;

/// Connects to the host and returns when its certificate ends.
///
/// # Errors
/// Says why the host cannot be reached, or why this computer does not trust its certificate.
pub async fn certificate_end(host: &str) -> Result<SystemTime, String> {
    end_at(host, PORT, tls::trusted()).await
}

async fn end_at(host: &str, port: u16, roots: RootCertStore) -> Result<SystemTime, String> {
    let stream = match timeout(DEADLINE, tls::connect(host, port, roots)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("no answer within {} s", DEADLINE.as_secs())),
    };
    let (_, connection) = stream.get_ref();
    let own = connection.peer_certificates().and_then(|chain| chain.first());
    let parsed = own.and_then(|own| x509_parser::parse_x509_certificate(own).ok());
    let end = parsed.and_then(|(_, parsed)| u64::try_from(parsed.validity().not_after.timestamp()).ok());
    end.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .ok_or_else(|| "the certificate cannot be read".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use std::sync::Arc;

    use rustls::ServerConfig;
    use rustls::crypto::ring;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    #[tokio::test]
    async fn end_of_a_certificate_is_read_if_it_is_trusted() {
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2048, 1, 2);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let chain = vec![certificate.der().clone()];
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = config.with_single_cert(chain.clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = acceptor.accept(stream).await;
            }
        });
        let mut roots = RootCertStore::empty();
        let nobody = end_at("localhost", port, roots.clone()).await.unwrap_err();
        assert!(nobody.contains("certificate"), "{nobody}");
        roots.add(chain.into_iter().next().unwrap()).unwrap();
        let end = end_at("localhost", port, roots).await.unwrap();
        assert_eq!(humantime::format_rfc3339_seconds(end).to_string(), "2048-01-02T00:00:00Z");
    }

    #[tokio::test]
    async fn host_that_cannot_be_reached_says_why() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert!(end_at("127.0.0.1", port, RootCertStore::empty()).await.unwrap_err().contains("refused"));
    }
}
