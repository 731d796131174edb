//! What happens if something does not work: the authority, the stack, the name of the host. With a real authority it is
//! the suite `certificate` that tests it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a failure here is the test's failure")]

#[path = "certificate/renewal.rs"]
mod renewal;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use peersync_certificate::{
    Authority, Certificates, Keeper, KeeperError, KeptCertificate, Settings, Storage, StorageError, Stored,
};
use peersync_server::access::{ACME_ACCOUNT, ACME_CERTIFICATE};
use peersync_server::clock::Clock;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::server::ServerConfig;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// An authority that counts orders and refuses all of them.
#[derive(Clone)]
struct Refusing {
    url: String,
    orders: Arc<AtomicUsize>,
    accounts: Arc<AtomicUsize>,
    renewals: renewal::Renewals,
    status: StatusCode,
    kind: &'static str,
    retry_after: Option<&'static str>,
}

impl Refusing {
    async fn start(status: StatusCode, kind: &'static str, retry_after: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (orders, accounts, renewals) = Default::default();
        let authority = Self { url, orders, accounts, renewals, status, kind, retry_after };
        let router = Router::new()
            .route("/directory", get(directory))
            .route("/nonce", get(|| async { with_nonce(StatusCode::OK, &json!({})) }))
            .route("/account", post(account))
            .route("/order", post(order))
            .route("/renewal/{certificate}", get(renewal::answer))
            .with_state(authority.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        authority
    }

    fn authority(&self) -> Authority {
        Authority { directory: format!("{}/directory", self.url), ..Authority::default() }
    }
}

async fn directory(State(authority): State<Refusing>) -> Response {
    let url = |name: &str| format!("{}/{name}", authority.url);
    let mut names = json!({ "newNonce": url("nonce"), "newAccount": url("account"), "newOrder": url("order") });
    if authority.renewals.are_told() {
        names["renewalInfo"] = json!(url("renewal"));
    }
    with_nonce(StatusCode::OK, &names)
}

async fn account(State(authority): State<Refusing>) -> Response {
    let number = authority.accounts.fetch_add(1, Ordering::SeqCst);
    let mut answer = with_nonce(StatusCode::CREATED, &json!({ "status": "valid" }));
    let location = HeaderValue::try_from(format!("{}/account/{number}", authority.url)).unwrap();
    answer.headers_mut().insert("location", location);
    answer
}

async fn order(State(authority): State<Refusing>, Json(request): Json<Value>) -> Response {
    authority.orders.fetch_add(1, Ordering::SeqCst);
    authority.renewals.note(&request);
    let kind = format!("urn:ietf:params:acme:error:{}", authority.kind);
    let mut answer = with_nonce(authority.status, &json!({ "type": kind, "detail": "not today" }));
    if let Some(seconds) = authority.retry_after {
        answer.headers_mut().insert("retry-after", HeaderValue::from_static(seconds));
    }
    answer
}

fn with_nonce(status: StatusCode, body: &serde_json::Value) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert("replay-nonce", HeaderValue::from_static("bm9uY2U"));
    (status, headers, Json(body.clone())).into_response()
}

/// A stack in memory, of which a part can be out of order.
#[derive(Clone, Default)]
struct Memory {
    stored: Arc<Mutex<Stored>>,
    unreadable: Arc<Mutex<bool>>,
    unwritable: Arc<Mutex<bool>>,
}

fn failure() -> StorageError {
    StorageError::Failed("AccessDenied".to_owned())
}

impl Storage for Memory {
    fn read(&self) -> BoxFuture<'_, Result<Stored, StorageError>> {
        let answer = if *self.unreadable.lock() { Err(failure()) } else { Ok(self.stored.lock().clone()) };
        Box::pin(async { answer })
    }

    fn write<'a>(&'a self, name: &'static str, value: &'a str) -> BoxFuture<'a, Result<(), StorageError>> {
        let mut stored = self.stored.lock();
        let answer = if *self.unwritable.lock() { Err(failure()) } else { Ok(()) };
        if answer.is_ok() {
            match name {
                ACME_ACCOUNT => stored.account = Some(value.to_owned()),
                ACME_CERTIFICATE => stored.certificate = Some(value.to_owned()),
                other => panic!("{other}"),
            }
        }
        Box::pin(async { answer })
    }
}

/// Ends TLS with these certificates, and returns the port.
async fn host(certificates: &Arc<Certificates>) -> u16 {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::<Certificates>::clone(certificates));
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    port
}

fn keeper(port: u16, authority: Authority, memory: &Memory, certificates: &Arc<Certificates>) -> Keeper {
    let settings = Settings { domain: "localhost".to_owned(), port, email: None, authority };
    Keeper::new(settings, Box::new(memory.clone()), Arc::clone(certificates), Clock::default())
}

#[tokio::test]
async fn authority_that_was_asked_too_often_is_left_in_peace_for_as_long_as_it_says() {
    let authority = Refusing::start(StatusCode::TOO_MANY_REQUESTS, "rateLimited", Some("7200")).await;
    let (memory, certificates) = (Memory::default(), Arc::new(Certificates::default()));
    let mut keeper = keeper(host(&certificates).await, authority.authority(), &memory, &certificates);
    let error = keeper.check().await.unwrap_err();
    let KeeperError::TooMany { asked, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*asked, Some(Duration::from_secs(7200)));
    assert!(error.to_string().contains("not today"), "{error}");
    assert!(memory.stored.lock().account.is_some(), "the account is kept, whatever becomes of the order");
    keeper.check().await.unwrap_err();
    assert_eq!((authority.orders.load(Ordering::SeqCst), authority.accounts.load(Ordering::SeqCst)), (2, 1));
}

#[tokio::test]
async fn refusal_says_what_the_authority_says() {
    let authority = Refusing::start(StatusCode::FORBIDDEN, "rejectedIdentifier", None).await;
    let (memory, certificates) = (Memory::default(), Arc::new(Certificates::default()));
    let mut keeper = keeper(host(&certificates).await, authority.authority(), &memory, &certificates);
    let error = keeper.check().await.unwrap_err();
    assert!(matches!(error, KeeperError::Order(_)) && error.to_string().contains("not today"), "{error}");
    assert!(!certificates.is_ready());
}

#[tokio::test]
async fn account_that_the_authority_has_forgotten_is_replaced_once() {
    let authority = Refusing::start(StatusCode::BAD_REQUEST, "accountDoesNotExist", None).await;
    let (memory, certificates) = (Memory::default(), Arc::new(Certificates::default()));
    let mut keeper = keeper(host(&certificates).await, authority.authority(), &memory, &certificates);
    keeper.check().await.unwrap_err();
    assert_eq!((authority.orders.load(Ordering::SeqCst), authority.accounts.load(Ordering::SeqCst)), (2, 2));
}

#[tokio::test]
async fn nothing_is_ordered_that_cannot_be_kept() {
    let authority = Refusing::start(StatusCode::FORBIDDEN, "unauthorized", None).await;
    let (memory, certificates) = (Memory::default(), Arc::new(Certificates::default()));
    let mut keeper = keeper(host(&certificates).await, authority.authority(), &memory, &certificates);
    for part in [&memory.unreadable, &memory.unwritable] {
        *part.lock() = true;
        let error = keeper.check().await.unwrap_err();
        assert!(matches!(error, KeeperError::Storage(_)), "{error}");
        *part.lock() = false;
    }
    keeper.check().await.unwrap_err();
    // With an account that is known, too.
    *memory.unwritable.lock() = true;
    keeper.check().await.unwrap_err();
    assert_eq!(authority.orders.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn nothing_is_ordered_while_the_name_leads_elsewhere() {
    let authority = Refusing::start(StatusCode::FORBIDDEN, "unauthorized", None).await;
    let (memory, certificates) = (Memory::default(), Arc::new(Certificates::default()));
    let another = Arc::new(Certificates::default());
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = free.local_addr().unwrap().port();
    drop(free);
    for (port, said) in [(host(&another).await, "another host"), (closed, "fails")] {
        let error = keeper(port, authority.authority(), &memory, &certificates).check().await.unwrap_err();
        assert!(matches!(error, KeeperError::Unreached(_)) && error.to_string().contains(said), "{error}");
    }
    assert_eq!(authority.accounts.load(Ordering::SeqCst), 0);
}

/// Returns the certificate that somebody is shown who asks a port for this name, and trusts `trusted` alone.
async fn shown(port: u16, name: &'static str, trusted: &CertificateDer<'static>) -> Option<CertificateDer<'static>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name.try_into().unwrap(), stream).await.ok()?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    chain.first().map(|certificate| certificate.clone().into_owned())
}

#[tokio::test]
async fn former_name_goes_on_with_its_certificate_while_the_new_one_has_none() {
    let authority = Refusing::start(StatusCode::FORBIDDEN, "unauthorized", None).await;
    let signed = rcgen::generate_simple_self_signed(["former.example.org".to_owned()]).unwrap();
    let (pem, key) = (signed.cert.pem(), signed.signing_key.serialize_pem());
    for (directory, expected) in [(authority.authority().directory, true), ("https://other.example".to_owned(), false)]
    {
        let (memory, certificates) = (Memory::default(), Arc::new(Certificates::default()));
        let kept = KeptCertificate::issued("former.example.org", &directory, &pem, &key).unwrap().text();
        memory.stored.lock().certificate = Some(kept.clone());
        let port = host(&certificates).await;
        let mut keeper = keeper(port, authority.authority(), &memory, &certificates);
        for _ in 0..2 {
            keeper.check().await.unwrap_err();
            assert!(!certificates.is_ready() && certificates.until().is_none(), "the new name has none");
            let former = shown(port, "former.example.org", signed.cert.der()).await;
            assert_eq!(former, expected.then(|| signed.cert.der().clone()));
            assert_eq!(shown(port, "localhost", signed.cert.der()).await, None);
        }
        assert_eq!(memory.stored.lock().certificate.as_ref(), Some(&kept), "it stays until there is another");
    }
}

#[tokio::test]
async fn authority_that_does_not_answer_is_no_order() {
    let (memory, certificates) = (Memory::default(), Arc::new(Certificates::default()));
    let authority = Authority { directory: "http://127.0.0.1:1/directory".to_owned(), ..Authority::default() };
    let error = keeper(host(&certificates).await, authority, &memory, &certificates).check().await.unwrap_err();
    assert!(matches!(error, KeeperError::Authority(_)), "{error}");
    assert_eq!(*memory.stored.lock(), Stored::default());
}
