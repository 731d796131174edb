//! A forward proxy as companies have it: it opens tunnels with CONNECT, asks for a password, and opens the TLS in them with
//! certificates of an authority of its own. Behind it, every name is an emulator.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// An authority, and what it signs.
pub(crate) struct Authority {
    /// Its certificate in PEM.
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Arc<Self> {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = parameters.self_signed(&key).unwrap().pem();
        Arc::new(Self { pem, issuer: Issuer::new(parameters, key) })
    }

    /// Accepts TLS for a name.
    fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap()))
    }
}

/// A running proxy.
pub(crate) struct Forward {
    /// Its address, `127.0.0.1:PORT`.
    pub(crate) address: String,
    asked: Arc<Mutex<BTreeSet<String>>>,
    accepting: AbortHandle,
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What a proxy is to do.
struct Behind {
    authority: Arc<Authority>,
    /// `127.0.0.1:PORT` of the emulator.
    emulator: String,
    /// `NAME:PASSWORD`.
    password: String,
    asked: Arc<Mutex<BTreeSet<String>>>,
}

impl Forward {
    /// Starts one in front of an emulator that asks for `NAME:PASSWORD`.
    pub(crate) async fn start(authority: &Arc<Authority>, emulator: &str, password: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::<Mutex<BTreeSet<String>>>::default();
        let behind = Arc::new(Behind {
            authority: authority.clone(),
            emulator: emulator.trim_start_matches("http://").to_owned(),
            password: STANDARD.encode(password),
            asked: asked.clone(),
        });
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(tunnel(stream, behind.clone()));
            }
        });
        Self { address, asked, accepting: accepting.abort_handle() }
    }

    /// The names for which it was asked since the last call.
    pub(crate) fn asked(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn tunnel(mut stream: TcpStream, behind: Arc<Behind>) -> Option<()> {
    let head = head(&mut stream).await?;
    let (host, _) = head.strip_prefix("CONNECT ")?.split(' ').next()?.rsplit_once(':')?;
    behind.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned());
    let wanted = format!("proxy-authorization: basic {}", behind.password);
    if !head.lines().any(|line| line.eq_ignore_ascii_case(&wanted)) {
        let refusal =
            "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(refusal.as_bytes()).await.ok()?;
        return None;
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
    pass_on(stream, &behind.authority.acceptor(host), &behind.emulator).await
}

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

async fn pass_on(stream: impl AsyncRead + AsyncWrite + Unpin, acceptor: &TlsAcceptor, emulator: &str) -> Option<()> {
    let mut inner = acceptor.accept(stream).await.ok()?;
    let mut outer = TcpStream::connect(emulator).await.ok()?;
    copy_bidirectional(&mut inner, &mut outer).await.ok().map(|_| ())
}

/// Serves an emulator in TLS for `localhost`, and returns the URL.
pub(crate) async fn in_tls(authority: &Arc<Authority>, emulator: &str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (acceptor, emulator) = (authority.acceptor("localhost"), emulator.trim_start_matches("http://").to_owned());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, emulator) = (acceptor.clone(), emulator.clone());
            tokio::spawn(async move { pass_on(stream, &acceptor, &emulator).await });
        }
    });
    format!("https://localhost:{port}")
}
