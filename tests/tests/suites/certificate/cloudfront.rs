//! A host with a certificate, with the programs as they are installed: what each of its ports does for CloudFront, and for
//! everybody.

use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use peersync_resources::kinds::signal_instance::CertificateTrouble;
use peersync_tests::emulator::{Emulator, Kind};
use peersync_tests::proxy::Settings;
use peersync_tests::stage::Stage;
use rustls::RootCertStore;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout};
use tokio::time::{sleep, timeout};
use tokio_rustls::client::TlsStream;

use super::super::host::{Host, report, until};
use super::{NAME, PATIENCE, Pebble, connect, free_port, secrecy};

/// Sends a request for the WebSocket with these headers, and returns what comes back first.
async fn asked(mut stream: impl AsyncRead + AsyncWrite + Unpin, headers: &[(&str, &str)]) -> String {
    let own: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {NAME}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{own}\r\n"
    );
    // Whoever closes at once may not take it.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = vec![0; 12];
    let read = timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("an answer or the end");
    read.map(|_| String::from_utf8_lossy(&answer).into_owned()).unwrap_or_default()
}

/// Connects to a port of the host by TLS; `None` if nobody shows a certificate of this authority there.
async fn tls(pebble: &Pebble, port: u16) -> Option<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(pebble.root().await?).ok()?;
    connect(roots, plain(port).await?).await.ok()
}

/// Starts the relay with these ports and this authority, and its log where the unit has it.
fn start_relay(host: &Host, pebble: &Pebble, everybodys: u16, edge: u16) -> Child {
    let roots = host.root.path().join("authority.pem");
    fs::copy(pebble.folder.path().join("cert.pem"), &roots).expect("it can be copied");
    assert_eq!(host.environment("relay")["RELAY_EDGE_PORT"], "8080");
    let variables = [
        ("RELAY_DOMAIN", NAME),
        ("RELAY_SHARED_PORT", &everybodys.to_string()),
        ("RELAY_EDGE_PORT", &edge.to_string()),
        ("RELAY_ACME_DIRECTORY", &pebble.authority.directory),
        ("RELAY_ACME_ROOTS", &roots.display().to_string()),
    ];
    let mut relay = host.start_with("relay", &variables);
    let mut lines = relay.stdout.take().expect("it is piped");
    let log = host.root.path().join("var/log/peersync-relay.log");
    tokio::spawn(async move {
        let mut log = tokio::fs::OpenOptions::new().create(true).append(true).open(log).await?;
        tokio::io::copy(&mut lines, &mut log).await
    });
    relay
}

async fn plain(port: u16) -> Option<TcpStream> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()
}

/// Returns the value of a parameter of the stack.
async fn parameter(stage: &Stage, name: &str) -> String {
    let name = format!("/peersync/{}/{name}", stage.stack());
    let answer = stage.clients.ssm.get_parameter().name(name).with_decryption(true).send().await;
    answer.ok().and_then(|answer| answer.parameter?.value).expect("a value")
}

/// A host whose signaling server answers, and whose relay is not started yet.
struct Installed {
    host: Host,
    /// What the installation says.
    said: Lines<BufReader<ChildStdout>>,
    _programs: [Child; 2],
}

impl Installed {
    /// Installs one with this way in, behind a relay with this port for the edge.
    async fn new(stage: &Stage, signaling: &str, edge: u16) -> Self {
        stage.configure(&format!("[signaling]\n{signaling}[turn]\nprovider = \"none\"\n"));
        stage.up().await;
        let host = Host::of(stage).await;
        let mut installing = host.install();
        let mut said = BufReader::new(installing.stdout.take().expect("it is piped")).lines();
        until(&mut said, "failed: an answer of the signaling server").await;
        let port = edge.to_string();
        let known = host.environment("signal").get("EDGE_PORT").map(|own| own == "8080");
        let variables: &[(&str, &str)] = if known.is_some() { &[("EDGE_PORT", &port)] } else { &[] };
        assert_ne!(known, Some(false), "it is the port that the security group opens");
        let signal = host.start_with("signal", variables);
        until(&mut said, "peersync: ready").await;
        Self { host, said, _programs: [installing, signal] }
    }
}

/// Waits until the host shows a certificate of this authority.
async fn certified(pebble: &Pebble, port: u16) {
    let certified = async {
        while tls(pebble, port).await.is_none() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, certified).await.expect("the host gets a certificate from the authority");
}

#[tokio::test(flavor = "multi_thread")]
async fn host_of_direct_serves_everybody_by_tls_and_the_edge_with_and_without_it() {
    let emulator = Emulator::start(Kind::Moto);
    let stage = Stage::with(&emulator, Settings { moto: true, ..Settings::default() }).await;
    let (everybodys, edge) = (free_port(), free_port());
    let direct = "ingress = \"direct\"\ndomain = \"signal.example.org\"\n";
    let installed = Installed::new(&stage, direct, edge).await;
    let report = report(&stage.clients, installed.host.id()).await.expect("a report");
    let trouble = CertificateTrouble::parse(&report).unwrap_or_else(|| panic!("{report}"));
    assert!(!trouble.is_refusal(), "nothing is known yet: {report}");
    let pebble = Pebble::start(everybodys, &[]).await;
    let _relay = start_relay(&installed.host, &pebble, everybodys, edge);
    certified(&pebble, everybodys).await;

    let origin = installed.host.environment("signal")["SITE_URL"].clone();
    let (origin, key) = (("origin", origin.as_str()), parameter(&stage, "origin-key").await);
    let through_edge = [origin, ("x-peersync-origin-key", key.as_str()), ("x-forwarded-for", "192.0.2.1")];
    let by_tls = async |port| tls(&pebble, port).await.expect("a certificate of the authority");
    let unencrypted = async |port| plain(port).await.expect("a connection");
    assert_eq!(asked(by_tls(everybodys).await, &[origin]).await, "HTTP/1.1 101");
    assert_eq!(asked(unencrypted(everybodys).await, &[origin]).await, "", "nobody comes without TLS");
    for headers in [&through_edge[..], &[origin, through_edge[2]]] {
        let status = if headers.len() == 3 { "HTTP/1.1 101" } else { "HTTP/1.1 403" };
        assert_eq!(asked(by_tls(edge).await, headers).await, status, "{headers:?}");
        assert_eq!(asked(unencrypted(edge).await, headers).await, status, "{headers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cloudfront_reaches_the_websocket_and_strangers_reach_the_challenge_alone() {
    let emulator = Emulator::start(Kind::Moto);
    let stage = Stage::with(&emulator, Settings { moto: true, ..Settings::default() }).await;
    let (everybodys, edge) = (free_port(), free_port());
    let Installed { host, mut said, _programs } =
        Installed::new(&stage, "domain = \"signal.example.org\"\n", edge).await;
    // An authority that refuses the name: the host says so, and goes on to be ready.
    let refusing = Pebble::start(everybodys, &[NAME]).await;
    let mut relay = start_relay(&host, &refusing, everybodys, edge);
    until(&mut said, "peersync: ready without a certificate: rejectedIdentifier: again at ").await;
    let told = report(&stage.clients, host.id()).await.expect("a report");
    let trouble = CertificateTrouble::parse(&told).unwrap_or_else(|| panic!("{told}"));
    assert!(trouble.is_refusal() && told.len() <= 256, "{told}");
    assert!(trouble.reason().contains("the authority has issued no certificate"), "{told}");
    // The next one has the same ports.
    relay.kill().await.expect("it ends");
    drop(refusing);

    let pebble = Pebble::start(everybodys, &[]).await;
    let _relay = start_relay(&host, &pebble, everybodys, edge);
    certified(&pebble, edge).await;
    until(&mut said, "peersync: done").await;
    assert_eq!(report(&stage.clients, host.id()).await.as_deref(), Some("ready"));

    let origin = host.environment("signal")["SITE_URL"].clone();
    let key = parameter(&stage, "origin-key").await;
    let viewer = ("x-forwarded-for", "192.0.2.1");
    let through_edge = [("origin", origin.as_str()), ("x-peersync-origin-key", key.as_str()), viewer];
    let by_tls = async |port| tls(&pebble, port).await.expect("a certificate of the authority");
    assert_eq!(asked(by_tls(edge).await, &through_edge).await, "HTTP/1.1 101");
    assert_eq!(asked(by_tls(edge).await, &[("origin", &origin), viewer]).await, "HTTP/1.1 403", "without the key");
    // While the way in changes, the edge does not speak TLS yet, or no longer.
    let unencrypted = async || plain(edge).await.expect("a connection");
    assert_eq!(asked(unencrypted().await, &through_edge).await, "HTTP/1.1 101");
    assert_eq!(asked(unencrypted().await, &[("origin", &origin), viewer]).await, "HTTP/1.1 403", "without the key");
    // Whoever has the key gets nothing at the port that everybody reaches.
    assert_eq!(asked(by_tls(everybodys).await, &through_edge).await, "");
    assert_eq!(asked(plain(everybodys).await.expect("a connection"), &through_edge).await, "");
    let kept = parameter(&stage, "acme-certificate").await;
    assert!(kept.contains(&pebble.authority.directory), "the certificate is kept for the next host");
    secrecy::is_kept(&stage, host.root.path()).await;
}
