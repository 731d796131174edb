//! The authority that issues certificates, and how to reach it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use parking_lot::Mutex;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

/// The directory of Let's Encrypt (<https://letsencrypt.org/docs/acme-protocol-updates/>).
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// The longest time, in seconds, for which it can ask to wait. What reads its answers adds that to the present time, which must
/// not overflow.
const LONGEST: u64 = 24 * 3600;

/// An authority.
#[derive(Clone, Debug)]
pub struct Authority {
    /// The URL of its directory.
    pub directory: String,
    /// The certificates to trust when it is asked. Default: the system's.
    pub roots: Vec<CertificateDer<'static>>,
}

impl Default for Authority {
    fn default() -> Self {
        Self { directory: LETS_ENCRYPT.to_owned(), roots: Vec::new() }
    }
}

impl Authority {
    /// Returns a client that asks it.
    ///
    /// # Errors
    /// There are no certificates to trust, or TLS cannot use them.
    pub fn client(&self) -> Result<Http, Error> {
        let other = |error: rustls::Error| Error::Other(Box::new(error));
        let mut roots = RootCertStore::empty();
        if self.roots.is_empty() {
            // Those that cannot be read are left out; without any, every connection fails and says so.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        for root in &self.roots {
            roots.add(root.clone()).map_err(other)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
        Ok(Http { client: Client::builder(TokioExecutor::new()).build(connector), asked: Arc::default() })
    }
}

/// Asks an authority, and remembers how long it asked to wait: its errors do not say that.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    asked: Arc<Mutex<Option<Duration>>>,
}

impl Http {
    /// Returns for how long the last refusal asked to wait, if it did.
    pub(crate) fn asked(&self) -> Option<Duration> {
        *self.asked.lock()
    }
}

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let (answer, asked) = (self.client.request(request), Arc::clone(&self.asked));
        Box::pin(async move {
            let answer = timeout(DEADLINE, answer).await.map_err(|error| Error::Other(Box::new(error)))?;
            let mut answer = answer.map_err(|error| Error::Other(Box::new(error)))?;
            let refused = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&answer.status());
            let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
            let seconds = seconds.map(|seconds: u64| seconds.min(LONGEST));
            if let Some(seconds) = seconds {
                answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            *asked.lock() = seconds.map(Duration::from_secs).filter(|_| refused);
            Ok(BytesResponse::from(answer))
        })
    }
}
