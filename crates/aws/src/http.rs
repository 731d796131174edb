//! The HTTP clients of this program, all of which are created here: they go through the same proxy and trust the same
//! authorities.
//!
//! `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` count as for curl, in lower case too: a name in `NO_PROXY` covers
//! its subdomains, and addresses, networks and `*` are possible. What is on this computer is never requested through a proxy.

use std::time::Duration;

use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, tls};
use aws_smithy_runtime_api::client::http::{
    HttpClient as SdkClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use peersync_engine::ResourceError;

use super::profile::Profile;
use super::proxy;
use super::trust::Trust;

/// How long a connection to the proxy, and through it, may take to be opened by the SDK's client.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// How servers are reached, from the environment and the AWS profile.
#[derive(Clone, Debug, Default)]
pub struct Http {
    trust: Trust,
}

impl Http {
    /// Reads the environment and the AWS profile.
    ///
    /// # Errors
    /// A file of certificates that cannot be used.
    pub async fn load() -> Result<Self, ResourceError> {
        Self::of(&Profile::load().await)
    }

    pub(super) fn of(profile: &Profile) -> Result<Self, ResourceError> {
        Ok(Self { trust: Trust::read(profile.ca_bundle.as_deref())? })
    }

    /// Returns a client whose requests take at most `deadline`, and that does not follow redirects.
    ///
    /// # Errors
    /// A variable that names a proxy which cannot be used; a TLS library that does not start.
    pub fn client(&self, deadline: Duration) -> Result<HttpClient, ResourceError> {
        proxy::check()?;
        let proxied = self.built(|builder| builder.timeout(deadline))?;
        Ok(HttpClient { proxied, direct: self.direct(deadline)? })
    }

    /// Returns a client for what is on this computer, which goes through no proxy.
    ///
    /// # Errors
    /// A TLS library that does not start.
    pub fn direct(&self, deadline: Duration) -> Result<reqwest::Client, ResourceError> {
        self.built(|builder| builder.timeout(deadline).no_proxy())
    }

    fn built(
        &self,
        set: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<reqwest::Client, ResourceError> {
        // The provider is installed once in a process; a second time is no error.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        // Walls before a site refuse whoever has no name. A WebSocket is opened in HTTP/1.1.
        let builder = set(builder.user_agent(concat!("peersync-deploy/", env!("CARGO_PKG_VERSION"))).http1_only());
        let builder = match self.trust.certificates()? {
            Some(certificates) => builder.tls_certs_only(certificates),
            None => builder,
        };
        builder.build().map_err(|error| ResourceError::new("failed to create an HTTP client").caused_by(error))
    }

    /// Returns the client of the SDK.
    ///
    /// # Errors
    /// A variable that names a proxy which cannot be used.
    pub(super) fn of_sdk(&self) -> Result<SharedHttpClient, ResourceError> {
        proxy::check()?;
        let provider = tls::Provider::Rustls(CryptoMode::Ring);
        let direct = Builder::new().tls_provider(provider).tls_context(self.trust.of_sdk()?).build_https();
        if !proxy::is_any() {
            return Ok(direct);
        }
        let client = self.built(|builder| builder.connect_timeout(CONNECT_DEADLINE))?;
        Ok(SharedHttpClient::new(ByHost { direct, proxied: SharedHttpConnector::new(Proxied(client)) }))
    }

    /// Returns the proxy through which a URL is requested, `http://HOST:PORT` without name and password; `None` if it is
    /// requested directly.
    pub fn proxy_of(&self, url: &str) -> Option<String> {
        proxy::of(url)
    }
}

/// A client that goes through the proxy, except to this computer.
#[derive(Clone, Debug)]
pub struct HttpClient {
    proxied: reqwest::Client,
    direct: reqwest::Client,
}

impl HttpClient {
    /// Begins a request.
    pub fn get(&self, url: &str) -> reqwest::RequestBuilder {
        self.request(http::Method::GET, url)
    }

    /// Begins a request with another method.
    pub fn request(&self, method: http::Method, url: &str) -> reqwest::RequestBuilder {
        let client = if proxy::is_direct(url) { &self.direct } else { &self.proxied };
        client.request(method, url)
    }
}

/// The SDK's client if a proxy is named: chooses by the host of each request.
#[derive(Debug)]
struct ByHost<T> {
    direct: T,
    proxied: SharedHttpConnector,
}

impl SdkClient for ByHost<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let direct = self.direct.http_connector(settings, components);
        SharedHttpConnector::new(ByHost { direct, proxied: self.proxied.clone() })
    }
}

impl HttpConnector for ByHost<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if proxy::is_direct(request.uri()) { self.direct.call(request) } else { self.proxied.call(request) }
    }
}

/// Sends the SDK's requests through the proxy. The SDK's own client sends AWS the whole URL in place of the path, as for a
/// proxy, even within a tunnel (smithy-rs#4865), which not every server understands.
#[derive(Debug)]
struct Proxied(reqwest::Client);

impl HttpConnector for Proxied {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap));
            let request = request.map_err(|error| ConnectorError::user(error.into()))?;
            let answer = client.execute(request).await.map_err(not_sent)?;
            let answer = http::Response::from(answer).map(SdkBody::from_body_1_x);
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Returns the error by which the SDK decides whether to repeat the request.
fn not_sent(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() {
        ConnectorError::timeout(error.without_url().into())
    } else if error.is_connect() || error.is_request() {
        ConnectorError::io(error.without_url().into())
    } else {
        ConnectorError::other(error.without_url().into(), None)
    }
}
