//! The relay serves another implementation's client, and refuses whoever has no right to it.
//!
//! Needs: coturn.

use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use peersync_relay::{Limits, Relay, Running, Settings, StackAuthority, TlsSettings, bind, serve};
use peersync_server::clock::Clock;
use peersync_server::secrets::{LiveSecrets, Secret, Secrets};
use peersync_server::turn_credentials::{TurnHolder, password, turn_credentials};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

/// The secret with which the relay checks credentials.
const SECRET: &str = "north";
/// The client of coturn.
const CLIENT: &str = "turnutils_uclient";
/// The number of messages that each of its two clients sends to the other.
const MESSAGES: &str = "50";
/// After this many runs, of which one in four asks for no even port, something else is wrong.
const TOSSES: u32 = 100;
/// The deadline for one run of the client. By TLS it tries versions by chance, which takes half a minute on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a connection may be without an allocation; short, because a test waits for it.
const IDLE: Duration = Duration::from_secs(1);

/// A relay on free ports of loopback.
struct Served {
    relay: Running<StackAuthority>,
    udp: SocketAddr,
    tcp: SocketAddr,
    tls: SocketAddr,
}

impl Served {
    fn start() -> Self {
        let free = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
        let listeners = bind(&free, &free, &free).expect("free ports");
        let first = |addresses: std::io::Result<Vec<SocketAddr>>| addresses.expect("they are bound")[0];
        let (udp, tcp) = (first(listeners.udp_addresses()), first(listeners.tcp_addresses()));
        let tls = first(listeners.tls_addresses());
        let limits = Limits { idle: IDLE, ..Limits::default() };
        let settings = Settings { realm: "test".to_owned(), address: Ipv4Addr::new(192, 0, 2, 1), limits };
        let secrets = Secrets { turn_secret: Some(Secret::new(SECRET)), ..Secrets::default() };
        let authority = StackAuthority::new(Arc::new(LiveSecrets::fixed(secrets)), Clock::default());
        let relay = serve(Relay::new(settings, authority, Instant::now()), listeners, Some(tls_settings()));
        Self { relay: relay.expect("TLS can be used"), udp, tcp, tls }
    }

    /// Lets two clients of coturn send each other messages, with the flags that choose the protocol. For each of them it
    /// throws a coin whether to ask for an even port, which the relay does not offer; so it is run until it asks for none.
    async fn exchange(&self, server: SocketAddr, flags: &[&str], username: &str, password: &str) -> Output {
        let port = server.port().to_string();
        let client_to_client = ["-y", "-c", "-n", MESSAGES, "-p", &port, "-u", username, "-w", password, "127.0.0.1"];
        for _ in 0..TOSSES {
            let mut command = Command::new(CLIENT);
            let run = command.args(flags).args(client_to_client).kill_on_drop(true).output();
            let run =
                timeout(PATIENCE, run).await.expect("the client ends in time").expect("the client can be started");
            if !printed(&run).contains("error 420") {
                return run;
            }
        }
        panic!("the client asked for an even port {TOSSES} times");
    }

    /// Asserts that the relay passes on every message, and that the client misses no more than `lost` of them.
    async fn assert_relays(&self, server: SocketAddr, flags: &[&str], lost: usize) {
        let given =
            turn_credentials(SECRET, now(), &TurnHolder::User { email: "ada@example.org", generation: "first" });
        let before = self.relay.counters();
        let run = self.exchange(server, flags, &given.username, given.password.reveal()).await;
        let printed = printed(&run);
        let missed = printed.split("Total lost packets ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        assert!(run.status.success() && missed.is_some_and(|missed: usize| missed <= lost), "{printed}");
        let relayed = self.relay.counters().relayed_packets - before.relayed_packets;
        assert!(relayed >= 100, "{relayed} packets were relayed:\n{printed}");
    }

    /// Waits until nobody has anything at the relay.
    async fn empty(&self) {
        let empty = async {
            while self.relay.connections() > 0 || self.relay.counters().allocations > 0 {
                sleep(Duration::from_millis(50)).await;
            }
        };
        let left = || (self.relay.connections(), self.relay.counters());
        assert!(timeout(PATIENCE, empty).await.is_ok(), "the relay still has {:?}", left());
    }
}

/// A certificate for the relay. Nothing is HTTP here, so there is no signaling server.
fn tls_settings() -> TlsSettings {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(pair.signing_key.serialize_der()).expect("a key");
    let certified = CertifiedKey::from_der(vec![pair.cert.der().clone()], key, &ring::default_provider());
    let certificate = SingleCertAndKey::from(certified.expect("the two fit together"));
    let signal = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    TlsSettings { certificates: Arc::new(certificate), signal, direct: true }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right");
    i64::try_from(since.as_secs()).expect("the clock is right")
}

fn printed(run: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn client_of_coturn_is_relayed_by_udp() {
    let served = Served::start();
    served.assert_relays(served.udp, &[], 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_of_coturn_is_relayed_by_tcp() {
    let served = Served::start();
    served.assert_relays(served.tcp, &["-t"], 0).await;
    served.empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_of_coturn_is_relayed_by_tls() {
    let served = Served::start();
    // Of messages that arrive together by TLS the client reads the first one, at coturn's own server too.
    served.assert_relays(served.tls, &["-t", "-S"], 50).await;
    assert_eq!(served.relay.counters().dropped_packets, 0);
    served.empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_forged_and_foreign_credentials_are_refused() {
    let served = Served::start();
    let holder = TurnHolder::Room("q83vEjRWeJCrze8SNFZ4kA");
    let expired = turn_credentials(SECRET, now() - 3601, &holder);
    let foreign = turn_credentials("south", now(), &holder);
    let valid = turn_credentials(SECRET, now(), &holder);
    let later = valid.username.replacen(&valid.expires.to_string(), &(valid.expires + 3600).to_string(), 1);
    let another = format!("{}:ada", valid.expires);
    let refused = [
        ("expired", expired.username.as_str(), expired.password.reveal().to_owned()),
        ("of another stack", foreign.username.as_str(), foreign.password.reveal().to_owned()),
        ("prolonged", later.as_str(), valid.password.reveal().to_owned()),
        ("guessed", valid.username.as_str(), "guess".to_owned()),
        ("not of our form", another.as_str(), password(SECRET, &another)),
    ];
    for (what, username, password) in refused {
        let run = served.exchange(served.udp, &[], username, &password).await;
        let counters = served.relay.counters();
        assert_eq!((counters.allocated, counters.relayed_packets), (0, 0), "{what}: {}", printed(&run));
        assert!(!run.status.success(), "{what}: {}", printed(&run));
    }
    assert!(served.relay.counters().refused.credentials >= 5, "{:?}", served.relay.counters());
}

/// A STUN request of this method without attributes (RFC 8489, section 5).
fn request(method: u16, number: u32) -> Vec<u8> {
    const MAGIC_COOKIE: u32 = 0x2112_A442;
    let mut packet = method.to_be_bytes().to_vec();
    packet.extend(0u16.to_be_bytes());
    packet.extend(MAGIC_COOKIE.to_be_bytes());
    packet.extend([0; 8]);
    packet.extend(number.to_be_bytes());
    packet
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_packets_of_strangers_leave_nothing_behind() {
    const BINDING: u16 = 0x0001;
    const ALLOCATE: u16 = 0x0003;
    const REFRESH: u16 = 0x0004;
    const CHANNEL_DATA: u16 = 0x4000;
    let served = Served::start();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let streams: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(served.tcp).expect("the relay accepts")).collect();
    for number in 0..10_000 {
        let method = [BINDING, ALLOCATE, REFRESH, CHANNEL_DATA][number as usize % 4];
        // The buffers of the kernel may be full; the next one is sent nevertheless.
        let _ = socket.send_to(&request(method, number), served.udp);
        if number % 100 == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    }
    served.empty().await;
    let counters = served.relay.counters();
    assert_eq!((counters.allocated, counters.relayed_packets), (0, 0), "{counters:?}");
    drop(streams);
    served.assert_relays(served.udp, &[], 0).await;
}
