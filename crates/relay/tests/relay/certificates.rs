//! The certificates of a relay, and clients that trust them.

use std::net::SocketAddr;
use std::sync::Arc;

use peersync_relay::TlsSettings;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The name in both certificates.
pub const NAME: &str = "relay.test";

/// One certificate for everybody, and one for authorities that ask by `acme-tls/1`.
pub struct Certificates {
    resolver: Arc<Resolver>,
    roots: Arc<RootCertStore>,
    pub usual: CertificateDer<'static>,
    pub challenge: CertificateDer<'static>,
}

#[derive(Debug)]
struct Resolver {
    usual: Arc<CertifiedKey>,
    challenge: Arc<CertifiedKey>,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let challenged = hello.alpn().is_some_and(|mut protocols| protocols.any(|one| one == b"acme-tls/1"));
        Some(Arc::clone(if challenged { &self.challenge } else { &self.usual }))
    }
}

impl Certificates {
    pub fn new() -> Self {
        let mut roots = RootCertStore::empty();
        let [(usual, usual_key), (challenge, challenge_key)] = [(), ()].map(|()| {
            let signed = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).unwrap();
            let certificate = signed.cert.der().clone();
            let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
            let certified = CertifiedKey::from_der(vec![certificate.clone()], key, &ring::default_provider()).unwrap();
            roots.add(certificate.clone()).unwrap();
            (certificate, Arc::new(certified))
        });
        let resolver = Arc::new(Resolver { usual: usual_key, challenge: challenge_key });
        Self { resolver, roots: Arc::new(roots), usual, challenge }
    }

    /// Returns the relay's settings, with its signaling server at this address.
    pub fn settings(&self, signal: SocketAddr, direct: bool) -> TlsSettings {
        TlsSettings { certificates: Arc::<Resolver>::clone(&self.resolver), signal, direct }
    }

    /// Connects with these protocols.
    pub async fn connect(&self, relay: SocketAddr, protocols: &[&[u8]]) -> std::io::Result<TlsStream<TcpStream>> {
        self.handshake(TcpStream::connect(relay).await?, protocols).await
    }

    pub async fn handshake<Io: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: Io,
        protocols: &[&[u8]],
    ) -> std::io::Result<TlsStream<Io>> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|one| one.to_vec()).collect();
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(NAME).unwrap(), stream).await
    }
}
