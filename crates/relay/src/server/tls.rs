//! TLS: which certificate and which protocols a connection gets.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::{Acceptor, ResolvesServerCert};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

/// By this protocol a certificate authority asks for the certificate that answers its challenge (RFC 8737).
const CHALLENGE: &[u8] = b"acme-tls/1";
/// What clients may ask for: WebSockets begin with HTTP/1.1, and TURN has names of its own (RFC 7443), though browsers do
/// not ask for them.
const PROTOCOLS: [&[u8]; 3] = [b"http/1.1", b"stun.turn", b"stun.nat-discovery"];

/// TLS as the relay speaks it.
#[derive(Clone)]
pub(super) struct Tls {
    usual: Arc<ServerConfig>,
    challenge: Arc<ServerConfig>,
}

impl Tls {
    /// Creates it. `certificates` is asked for the certificate of each connection; if that asks for a challenge, for the
    /// one that answers it.
    ///
    /// # Errors
    /// TLS does not support its own defaults.
    pub(super) fn new(certificates: &Arc<dyn ResolvesServerCert>) -> Result<Self, rustls::Error> {
        let config = |protocols: &[&[u8]]| {
            let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_cert_resolver(Arc::clone(certificates));
            config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
            Ok::<_, rustls::Error>(Arc::new(config))
        };
        Ok(Self { usual: config(&PROTOCOLS)?, challenge: config(&[CHALLENGE])? })
    }

    /// Accepts a connection. Returns `None` if it was a question for a challenge, which is answered by the handshake.
    ///
    /// # Errors
    /// The handshake fails.
    pub(super) async fn accept<Io>(&self, stream: Io) -> io::Result<Option<TlsStream<Io>>>
    where
        Io: AsyncRead + AsyncWrite + Unpin,
    {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        self.answer(start).await
    }

    /// Answers what a client has asked for. Returns `None` if it was a question for a challenge.
    ///
    /// # Errors
    /// The handshake fails.
    pub(super) async fn answer<Io>(&self, start: StartHandshake<Io>) -> io::Result<Option<TlsStream<Io>>>
    where
        Io: AsyncRead + AsyncWrite + Unpin,
    {
        let asked = start.client_hello().alpn().is_some_and(|mut protocols| protocols.any(|one| one == CHALLENGE));
        let config = if asked { &self.challenge } else { &self.usual };
        let mut stream = start.into_stream(Arc::clone(config)).await?;
        if !asked {
            return Ok(Some(stream));
        }
        stream.shutdown().await?;
        Ok(None)
    }
}
