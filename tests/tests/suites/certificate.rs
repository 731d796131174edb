//! The host's certificate comes from an authority by ACME, outlives the host, and is renewed.
//!
//! Needs: python, pebble.

mod cloudfront;
mod secrecy;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use instant_acme::{Account, RevocationReason, RevocationRequest};
use peersync_certificate::{Authority, Certificates, Keeper, KeeperError, Settings, Storage, StorageError, Stored};
use peersync_relay::client::{Ask, Asker, is_answer};
use peersync_relay::{Authority as RelayAuthority, Grant, Limits, Relay, Running, TlsSettings, bind, serve};
use peersync_server::access::{ACME_ACCOUNT, ACME_CERTIFICATE};
use peersync_server::clock::Clock;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The name of the host.
const NAME: &str = "localhost";
/// How long something may take that takes a second.
const PATIENCE: Duration = Duration::from_secs(60);
const DAY: i64 = 86_400;
/// What Pebble logs about an order in place of a certificate.
const REPLACEMENT: &str = "is a replacement of";

/// Pebble, the authority for tests of Let's Encrypt.
struct Pebble {
    _child: Child,
    authority: Authority,
    management: u16,
    folder: TempDir,
}

fn free_port() -> u16 {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.local_addr().expect("it is bound").port()
}

/// Returns the program that `cargo xtask test` has prepared.
fn program() -> PathBuf {
    std::env::var_os("PEBBLE").map(PathBuf::from).expect("PEBBLE is the path of Pebble")
}

impl Pebble {
    /// Starts one that asks for the challenge at this port, and refuses these names.
    async fn start(port: u16, blocked: &[&str]) -> Self {
        Self::start_at(free_port(), port, blocked).await
    }

    /// Starts one at this port. Each one is a new authority, which knows nobody.
    async fn start_at(own: u16, port: u16, blocked: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let pair = rcgen::generate_simple_self_signed([NAME.to_owned()]).expect("a certificate");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("cert.pem"), pair.cert.pem()).expect("the certificate can be written");
        std::fs::write(path("key.pem"), pair.signing_key.serialize_pem()).expect("the key can be written");
        let management = free_port();
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{own}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": path("cert.pem"),
            "privateKey": path("key.pem"),
            "httpPort": 1,
            "tlsPort": port,
            "domainBlocklist": blocked,
            "retryAfter": { "authz": 1, "order": 1 },
            "keyAlgorithm": "ecdsa",
            "profiles": { "default": { "description": "as usual", "validityPeriod": 90 * DAY } },
        }});
        std::fs::write(path("config.json"), config.to_string()).expect("the settings can be written");
        let log = fs::File::create(path("log")).expect("a file for the log");
        let child = Command::new(program())
            .arg("-config")
            .arg(path("config.json"))
            // It waits for seconds before its checks otherwise, and refuses requests by chance.
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", "0")
            .stdout(log)
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("Pebble starts");
        let roots = vec![pair.cert.der().clone()];
        let authority = Authority { directory: format!("https://{NAME}:{own}/dir"), roots };
        let pebble = Self { _child: child, authority, management, folder };
        let begun = Instant::now();
        while pebble.root().await.is_none() {
            assert!(begun.elapsed() < PATIENCE, "Pebble does not answer");
            sleep(Duration::from_millis(50)).await;
        }
        pebble
    }

    /// Returns how often it has been asked for a certificate in place of another one.
    fn replacements(&self) -> usize {
        let log = fs::read_to_string(self.folder.path().join("log")).expect("a log");
        log.matches(REPLACEMENT).count()
    }

    /// Lets the account of a stack revoke a certificate, as its owner does whose key was stolen.
    async fn revoke(&self, stack: &Stack, certificate: &CertificateDer<'_>) {
        let account: Value = serde_json::from_str(&stack.stored().account.expect("an account")).expect("JSON");
        let credentials = serde_json::from_value(account["credentials"].clone()).expect("the account's key");
        let client = Box::new(self.authority.client().expect("TLS can be used"));
        let account = Account::builder_with_http(client).from_credentials(credentials).await.expect("the account");
        let request = RevocationRequest { certificate, reason: Some(RevocationReason::KeyCompromise) };
        account.revoke(&request).await.expect("it is revoked");
    }

    /// Returns the certificate with which it signs, which is new with each start.
    async fn root(&self) -> Option<CertificateDer<'static>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.roots[0].clone()).ok()?;
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.management)).await.ok()?;
        let mut stream = connect(roots, stream).await.ok()?;
        stream.write_all(b"GET /roots/0 HTTP/1.0\r\nHost: localhost\r\n\r\n").await.ok()?;
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        rustls::pki_types::pem::PemObject::from_pem_slice(body.as_bytes()).ok()
    }
}

async fn connect(roots: RootCertStore, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS supports its own defaults")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(NAME).expect("a name");
    timeout(PATIENCE, TlsConnector::from(Arc::new(config)).connect(name, stream)).await?
}

/// What outlives a host.
#[derive(Clone, Default)]
struct Stack(Arc<Mutex<Stored>>);

impl Stack {
    fn stored(&self) -> Stored {
        self.0.lock().expect("no test has failed").clone()
    }
}

impl Storage for Stack {
    fn read(&self) -> BoxFuture<'_, Result<Stored, StorageError>> {
        let stored = self.stored();
        Box::pin(async { Ok(stored) })
    }

    fn write<'a>(&'a self, name: &'static str, value: &'a str) -> BoxFuture<'a, Result<(), StorageError>> {
        let mut stored = self.0.lock().expect("no test has failed");
        let place = match name {
            ACME_ACCOUNT => &mut stored.account,
            ACME_CERTIFICATE => &mut stored.certificate,
            other => panic!("{other} is kept"),
        };
        *place = Some(value.to_owned());
        Box::pin(async { Ok(()) })
    }
}

struct Nobody;

impl RelayAuthority for Nobody {
    fn grant(&self, _: &str) -> Option<Grant> {
        None
    }
}

/// A host: the relay at its shared port, with what keeps its certificate.
struct Host {
    keeper: Keeper,
    /// Where it is reached at the port that the relay shares with the signaling server, and for `turns:` alone.
    at: SocketAddr,
    turns: SocketAddr,
    _relay: Running<Nobody>,
}

impl Host {
    /// Starts one at a port; 0 for any.
    fn start(port: u16, authority: Option<&Authority>, stack: &Stack, clock: &Clock) -> Self {
        let own = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listeners = bind(&[], &[], &[any]).and_then(|listeners| listeners.share(&[own])).expect("a free port");
        let at = listeners.shared_addresses().expect("it is bound")[0];
        let turns = listeners.tls_addresses().expect("it is bound")[0];
        let certificates = Arc::new(Certificates::default());
        let settings = peersync_relay::Settings {
            realm: "test".to_owned(),
            address: Ipv4Addr::LOCALHOST,
            limits: Limits::default(),
        };
        let tls = TlsSettings { certificates: Arc::<Certificates>::clone(&certificates), signal: own, direct: true };
        let relay = serve(Relay::new(settings, Nobody, Instant::now()), listeners, Some(tls)).expect("TLS can be used");
        // Nobody answers at this port, unless a test gives an authority.
        let authority = authority
            .cloned()
            .unwrap_or(Authority { directory: "https://localhost:1/dir".to_owned(), ..Authority::default() });
        let settings =
            Settings { domain: NAME.to_owned(), port: at.port(), email: Some("me@example.org".to_owned()), authority };
        let keeper = Keeper::new(settings, Box::new(stack.clone()), certificates, clock.clone());
        Self { keeper, at, turns, _relay: relay }
    }

    async fn check(&mut self) -> Result<Duration, KeeperError> {
        timeout(PATIENCE, self.keeper.check()).await.expect("the authority answers in time")
    }

    /// Returns the certificate that somebody is shown who trusts the authority, and asks by STUN inside of TLS.
    async fn shown(&self, pebble: &Pebble) -> CertificateDer<'static> {
        let at_both = [shown_at(self.at, pebble).await, shown_at(self.turns, pebble).await];
        assert_eq!(at_both[0], at_both[1]);
        at_both[0].clone()
    }
}

async fn shown_at(address: SocketAddr, pebble: &Pebble) -> CertificateDer<'static> {
    let mut roots = RootCertStore::empty();
    roots.add(pebble.root().await.expect("Pebble answers")).expect("a certificate");
    let stream = TcpStream::connect(address).await.expect("the relay listens");
    let mut stream = connect(roots, stream).await.expect("the certificate is trusted");
    let request = Asker::new("", "").ask(&Ask::Binding);
    stream.write_all(&request).await.expect("the relay takes it");
    let mut answer = vec![0; 512];
    let size = timeout(PATIENCE, stream.read(&mut answer)).await.expect("in time").expect("an answer");
    assert!(is_answer(&answer[..size], &request));
    let chain = stream.get_ref().1.peer_certificates().expect("a certificate");
    chain[0].clone().into_owned()
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right");
    i64::try_from(since.as_secs()).expect("the clock is right")
}

#[tokio::test(flavor = "multi_thread")]
async fn next_host_shows_the_same_certificate_and_orders_none() {
    let (stack, clock) = (Stack::default(), Clock::fixed(now()));
    let port = free_port();
    let pebble = Pebble::start(port, &[]).await;
    let mut host = Host::start(port, Some(&pebble.authority), &stack, &clock);
    host.check().await.expect("a certificate");
    let first = host.shown(&pebble).await;
    let kept = stack.stored();
    let account: Value = serde_json::from_str(&kept.account.clone().expect("an account")).expect("JSON");
    assert_eq!(account["directory"], pebble.authority.directory);
    let text = kept.certificate.clone().expect("a certificate");
    assert!(text.len() < 4096, "a parameter of the standard tier holds it: {}", text.len());
    drop(host);
    // The next hosts are started while the authority does not answer: they need not ask it.
    for _ in 0..10 {
        let elsewhere = Authority { directory: pebble.authority.directory.clone(), roots: vec![first.clone()] };
        let mut next = Host::start(0, Some(&elsewhere), &stack, &clock);
        next.check().await.expect("the certificate of the stack");
        assert_eq!(next.shown(&pebble).await, first);
        assert_eq!(stack.stored(), kept);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_is_renewed_with_the_same_account() {
    let (stack, clock) = (Stack::default(), Clock::fixed(now()));
    let port = free_port();
    let pebble = Pebble::start(port, &[]).await;
    let mut host = Host::start(port, Some(&pebble.authority), &stack, &clock);
    host.check().await.expect("a certificate");
    let (first, kept) = (host.shown(&pebble).await, stack.stored());
    // Pebble wants it to be renewed between the 59th and the 61st day.
    clock.forward(58 * DAY);
    host.check().await.expect("it is not due");
    assert_eq!((host.shown(&pebble).await, stack.stored()), (first.clone(), kept.clone()));
    stack.0.lock().expect("no test has failed").certificate = None;
    host.check().await.expect("what somebody has removed is put back");
    assert_eq!((host.shown(&pebble).await, stack.stored()), (first.clone(), kept.clone()));
    clock.forward(4 * DAY);
    host.check().await.expect("a new certificate");
    assert_ne!(host.shown(&pebble).await, first);
    assert_eq!(pebble.replacements(), 1, "which does not count for limits");
    let renewed = stack.stored();
    assert_eq!(renewed.account, kept.account);
    assert_ne!(renewed.certificate, kept.certificate);
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_certificate_is_replaced_at_the_next_look() {
    let (stack, clock) = (Stack::default(), Clock::fixed(now()));
    let port = free_port();
    let pebble = Pebble::start(port, &[]).await;
    let mut host = Host::start(port, Some(&pebble.authority), &stack, &clock);
    host.check().await.expect("a certificate");
    let pause = host.check().await.expect("it is not due");
    let (first, kept) = (host.shown(&pebble).await, stack.stored());
    pebble.revoke(&stack, &first).await;
    clock.forward(i64::try_from(pause.as_secs()).expect("some hours"));
    host.check().await.expect("another certificate");
    assert_ne!(host.shown(&pebble).await, first);
    let second = stack.stored();
    assert_eq!(second.account, kept.account);
    assert_ne!(second.certificate, kept.certificate);
    assert_eq!(pebble.replacements(), 1);
    // The next one is not revoked, and stays.
    host.check().await.expect("it is not due");
    assert!(stack.stored() == second);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_renewal_leaves_the_certificate_at_hand() {
    let (stack, clock) = (Stack::default(), Clock::fixed(now()));
    let (own, port) = (free_port(), free_port());
    let pebble = Pebble::start_at(own, port, &[]).await;
    let mut host = Host::start(port, Some(&pebble.authority), &stack, &clock);
    host.check().await.expect("a certificate");
    let first = host.shown(&pebble).await;
    let root = pebble.root().await;
    drop(pebble);
    clock.forward(61 * DAY);
    assert!(matches!(host.check().await, Err(KeeperError::Authority(_))), "the authority is gone");
    // Another one is in its place, which does not know the account.
    let blocking = Pebble::start_at(own, port, &[NAME]).await;
    let mut next = Host::start(0, Some(&blocking.authority), &stack, &clock);
    drop(host);
    let refused = next.check().await;
    assert!(matches!(refused, Err(KeeperError::Order(_))), "{refused:?}");
    let mut roots = RootCertStore::empty();
    roots.add(root.expect("the first authority has answered")).expect("a certificate");
    let stream = TcpStream::connect(next.at).await.expect("the relay listens");
    let shown = connect(roots, stream).await.expect("the first certificate is shown");
    assert_eq!(shown.get_ref().1.peer_certificates().map(|chain| chain[0].clone().into_owned()), Some(first));
}

#[tokio::test(flavor = "multi_thread")]
async fn authority_that_finds_another_host_issues_nothing() {
    let (stack, clock) = (Stack::default(), Clock::fixed(now()));
    let elsewhere = Host::start(0, None, &Stack::default(), &clock);
    let pebble = Pebble::start(elsewhere.at.port(), &[]).await;
    let mut host = Host::start(0, Some(&pebble.authority), &stack, &clock);
    let refused = host.check().await.expect_err("the authority asks elsewhere");
    assert!(matches!(refused, KeeperError::Order(_)), "{refused:?}");
    assert!(refused.to_string().contains("urn:ietf:params:acme:error:"), "it says why: {refused}");
    assert_eq!(stack.stored().certificate, None);
    assert!(stack.stored().account.is_some());
}
