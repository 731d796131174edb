//! Both programs of a host with a name of its own: the relay at the port that everybody reaches, and behind it the
//! signaling server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failure here is the test's failure"
)]

mod support;

use std::net::{SocketAddr, TcpListener as StdListener};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use peersync_relay::client::{Ask, Asker, is_answer};
use peersync_server::clock::Clock;
use peersync_server::tickets::{Bearer, TicketKey, TicketKeys};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const STACK: &str = "peersync-test";
const ORIGIN: &str = "https://site.example";
const DOMAIN: &str = "signal.example.org";
const DIRECTORY: &str = "https://authority.invalid/directory";
/// base64url of 32 bytes.
const TICKET_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// How long something may take.
const SOON: Duration = Duration::from_secs(30);

/// Starts a program and waits until it listens; returns its line that says so, and what it logs from then on.
async fn start(
    program: &str,
    store: &str,
    variables: &[(&str, &str)],
) -> (Child, Value, Lines<BufReader<ChildStdout>>) {
    let mut command = Command::new(program);
    command.env_clear().envs([
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL_SSM", store),
        ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1"),
        ("PEERSYNC_STACK", STACK),
        ("SITE_URL", ORIGIN),
    ]);
    command.envs(variables.iter().copied()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stdout.take().unwrap()).lines();
    let listening = async {
        while let Some(line) = log.next_line().await.unwrap() {
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["message"] == "listening" {
                return line;
            }
        }
        panic!("{program} ended before it listened")
    };
    let line = timeout(SOON, listening).await.unwrap();
    (child, line, log)
}

/// Ends a program as systemd does, and returns all that it has logged meanwhile.
async fn end(mut program: Child, mut log: Lines<BufReader<ChildStdout>>) -> Vec<String> {
    let id = program.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    let mut lines = Vec::new();
    while let Some(line) = timeout(SOON, log.next_line()).await.unwrap().unwrap() {
        lines.push(line);
    }
    assert!(timeout(SOON, program.wait()).await.unwrap().unwrap().success());
    lines
}

async fn tls(relay: SocketAddr, trusted: &CertificateDer<'static>) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream = TcpStream::connect(relay).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(DOMAIN).unwrap(), stream).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_and_turn_reach_the_host_through_one_port_with_the_certificate_of_the_stack() {
    let signed = rcgen::generate_simple_self_signed([DOMAIN.to_owned()]).unwrap();
    let certificate = peersync_certificate::KeptCertificate::issued(
        DOMAIN,
        DIRECTORY,
        &signed.cert.pem(),
        &signed.signing_key.serialize_pem(),
    );
    let certificate = certificate.unwrap().text();
    let kept = [("ticket-key", TICKET_KEY), ("acme-account", "none"), ("acme-certificate", &certificate)];
    let store = support::serve(support::parameters(kept), |_| None).await;
    let signal = [("LISTEN", "127.0.0.1:0"), ("ENTRANCE", "relay")];
    let (_signal, line, _signal_log) = start(env!("CARGO_BIN_EXE_signal"), &store, &signal).await;
    let behind = line["address"].as_str().unwrap();
    let port = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let shared = port.to_string();
    let relay = [
        ("RELAY_DOMAIN", DOMAIN),
        ("RELAY_SHARED_PORT", shared.as_str()),
        ("RELAY_SIGNAL", behind),
        ("RELAY_ACME_DIRECTORY", DIRECTORY),
    ];
    let (relay, _, relay_log) = start(env!("CARGO_BIN_EXE_relay"), &store, &relay).await;
    let at = SocketAddr::from(([127, 0, 0, 1], port));
    let trusted = signed.cert.der();
    let shown = async {
        while tls(at, trusted).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, shown).await.expect("the certificate of the stack is shown");

    let mut request = format!("wss://{DOMAIN}/ws").into_client_request().unwrap();
    request.headers_mut().insert("origin", ORIGIN.parse().unwrap());
    let (mut socket, _) = client_async(request, tls(at, trusted).await.unwrap()).await.unwrap();
    let keys = TicketKeys::new(STACK, TicketKey::parse(TICKET_KEY).unwrap(), None);
    let bearer = Bearer {
        subject: "guest:1".into(),
        address: None,
        name: "Ada".into(),
        guest: true,
        generation: None,
        session: None,
        room: Some("r".into()),
    };
    let ticket = keys.issue(bearer, Clock::default().now()).unwrap();
    socket.send(Message::text(json!({ "type": "hello", "ticket": ticket }).to_string())).await.unwrap();
    let welcome = timeout(SOON, socket.next()).await.unwrap().unwrap().unwrap().into_text().unwrap();
    assert!(welcome.contains("\"welcome\""), "{welcome}");

    let asked = Asker::new("", "").ask(&Ask::Binding);
    let (mut plain, mut encrypted) = (TcpStream::connect(at).await.unwrap(), tls(at, trusted).await.unwrap());
    let mut answer = [0; 512];
    plain.write_all(&asked).await.unwrap();
    let size = timeout(SOON, plain.read(&mut answer)).await.unwrap().unwrap();
    assert!(is_answer(&answer[..size], &asked));
    encrypted.write_all(&asked).await.unwrap();
    let size = timeout(SOON, encrypted.read(&mut answer)).await.unwrap().unwrap();
    assert!(is_answer(&answer[..size], &asked));

    let lines = end(relay, relay_log).await;
    // It is one that never ends, of the year 4096.
    let days = |line: &String| serde_json::from_str::<Value>(line).unwrap()["CertificateDays"].as_f64();
    assert!(lines.iter().filter_map(days).any(|days| days > 700_000.0), "{lines:?}");
    let key = serde_json::from_str::<Value>(&certificate).unwrap()["key"].as_str().unwrap().to_owned();
    assert!(!lines.iter().any(|line| line.contains(&key)), "{lines:?}");
}
