//! The relay as a program: a STUN and TURN server for calls that cannot go directly. It reads its settings from the
//! environment, and the secret of its credentials from Parameter Store, again and again while it serves.
//!
//! On a host with a name of its own it also ends TLS, keeps the certificate for that, and passes what is HTTP on to the
//! signaling server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use peersync_certificate::{self as certificate, Certificates, Keeper, Parameters};
use peersync_relay::{Authority, Grant, Limits, Listeners, Relay, Settings as Served, StackAuthority};
use peersync_relay::{TlsSettings, Usage, Withdrawals, bind, memory, serve};
use peersync_runtime::{certificate_days, log};
use peersync_server::clock::Clock;
use peersync_server::metrics::Measured;
use peersync_server::secrets::{FOLLOW_INTERVAL, LiveSecrets, ParameterStore};
use peersync_server::settings::{Function, RelaySettings, RelayTls, Settings, TurnPorts};
use peersync_server::store::Store;
use peersync_server::{aws, metrics};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info, warn};

/// The interval at which the traffic is stored and logged.
const REPORT: Duration = Duration::from_secs(60);
/// The number of open files that are not connections of clients: the sockets, the log, the database.
const OTHER_FILES: usize = 76;
/// What is logged by default. The parser of STUN warns of each malformed packet, with which strangers could fill the log.
const LOGGED: &str = "info,stun_types=error,turn_types=error";

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    let errors = log::of_host(LOGGED);
    match run(errors).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(target: "relay", %error, "the relay cannot start");
            ExitCode::FAILURE
        }
    }
}

async fn run(errors: log::Errors) -> Result<(), Failure> {
    let mut settings = Settings::from_environment()?;
    settings.function = Function::Relay;
    let own = RelaySettings::from_environment()?;
    let config = aws::from_host().await;
    let listeners = listen(&own)?;
    let certificates = own.tls.is_some().then(Arc::<Certificates>::default);
    let tls = own.tls.zip(certificates.clone());
    let tls = tls.map(|(tls, certificates)| keep_certificate(tls, certificates, &config, &settings)).transpose()?;
    let report = Report { stack: settings.stack.clone(), started: Instant::now(), certificates, errors };
    let ends = Ends { signals: Signals::new()?, report };
    match own.turn {
        Some(turn) => relay(turn, config, settings, listeners, tls, ends).await,
        None => end_tls(&settings, listeners, tls, ends).await,
    }
}

/// Relays, with the secret of the stack.
async fn relay(
    turn: TurnPorts,
    config: SdkConfig,
    settings: Settings,
    listeners: Listeners,
    tls: Option<TlsSettings>,
    mut ends: Ends,
) -> Result<(), Failure> {
    let clock = Clock::default();
    let secrets = Arc::new(LiveSecrets::new(ParameterStore::new(config.clone(), settings.clone()), clock.clone()));
    if secrets.current().await?.turn_secrets(clock.now()).is_empty() {
        return Err("the parameter turn-secret does not exist; `peersync-deploy up` creates it".into());
    }
    let served = Served { realm: settings.stack.clone(), address: turn.address, limits: limits(tls.is_some()) };
    let authority = Arc::new(StackAuthority::new(Arc::clone(&secrets), clock.clone()));
    let relay = serve(Relay::new(served, Arc::clone(&authority), Instant::now()), listeners, tls)?;
    let store = Arc::new(Store::lazy(config, settings.tables.clone()));
    let withdrawals = Withdrawals::new(Arc::clone(&store), clock.clone(), authority);
    let mut usage = Usage::new(store, clock, turn.monthly_bytes);
    info!(target: "relay", version = env!("CARGO_PKG_VERSION"), "listening");
    let following = tokio::spawn(follow(secrets));
    tokio::select! {
        () = ends.report_until_told(async || usage.report(&relay).await) => {}
        () = withdrawals.follow(&relay) => {}
    }
    following.abort();
    Ok(())
}

/// Relays for nobody, and only ends TLS.
async fn end_tls(
    settings: &Settings,
    listeners: Listeners,
    tls: Option<TlsSettings>,
    mut ends: Ends,
) -> Result<(), Failure> {
    let served = Served { realm: settings.stack.clone(), address: Ipv4Addr::UNSPECIFIED, limits: limits(true) };
    let _running = serve(Relay::new(served, Nobody, Instant::now()), listeners, tls)?;
    info!(target: "relay", version = env!("CARGO_PKG_VERSION"), "listening");
    ends.report_until_told(async || Vec::new()).await;
    Ok(())
}

/// Nobody may be relayed.
struct Nobody;

impl Authority for Nobody {
    fn grant(&self, _: &str) -> Option<Grant> {
        None
    }
}

/// Opens the ports at all addresses of the host, of both families if it has both.
fn listen(settings: &RelaySettings) -> std::io::Result<Listeners> {
    let mut hosts = vec![IpAddr::from(Ipv4Addr::UNSPECIFIED)];
    if UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok() {
        hosts.push(Ipv6Addr::UNSPECIFIED.into());
    }
    let addresses = |ports: &[u16]| -> Vec<SocketAddr> {
        hosts.iter().flat_map(|host| ports.iter().map(|port| SocketAddr::new(*host, *port))).collect()
    };
    let (udp, tcp, tls) = match &settings.turn {
        Some(turn) => (addresses(&turn.udp), addresses(&turn.tcp), addresses(&turn.tls)),
        None => Default::default(),
    };
    let (shared, edge) = match &settings.tls {
        Some(tls) => (addresses(&[tls.shared]), addresses(tls.edge.as_slice())),
        None => Default::default(),
    };
    bind(&udp, &tcp, &tls)?.share(&shared)?.for_edge(&edge)
}

/// Begins to keep the certificate of the host. Until there is one, TLS is refused.
fn keep_certificate(
    tls: RelayTls,
    certificates: Arc<Certificates>,
    config: &SdkConfig,
    settings: &Settings,
) -> Result<TlsSettings, Failure> {
    let mut authority = certificate::Authority::default();
    if let Some(directory) = tls.directory {
        authority.directory = directory;
    }
    if let Some(file) = &tls.roots {
        authority.roots = roots(file)?;
    }
    let kept = Parameters::new(aws_sdk_ssm::Client::new(config), &settings.parameter_prefix);
    let wanted = certificate::Settings { domain: tls.domain, port: tls.shared, email: tls.email, authority };
    let keeper = Keeper::new(wanted, Box::new(kept), Arc::clone(&certificates), Clock::default());
    tokio::spawn(keeper.keep());
    Ok(TlsSettings { certificates, signal: tls.signal, direct: tls.direct })
}

fn roots(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let found = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    found.map_err(|error| format!("{}: {error}", file.display()).into())
}

/// The signals by which the system ends the program.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// What happens every minute until the program is told to end.
struct Ends {
    signals: Signals,
    report: Report,
}

impl Ends {
    /// Writes the metrics every minute, first now, and once more at the end.
    async fn report_until_told(&mut self, mut measure: impl AsyncFnMut() -> Vec<Measured>) {
        let mut minutes = interval(REPORT);
        minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = minutes.tick() => self.report.write(measure().await),
                () = self.signals.end() => break,
            }
        }
        self.report.write(measure().await);
        info!(target: "relay", "ended");
    }
}

/// What is written beside the traffic.
struct Report {
    stack: String,
    started: Instant,
    certificates: Option<Arc<Certificates>>,
    errors: log::Errors,
}

impl Report {
    fn write(&self, mut measured: Vec<Measured>) {
        let now = Clock::default().now();
        measured.extend(self.errors.take());
        if let Some(certificates) = &self.certificates {
            measured.extend(certificate_days(certificates.until(), now, self.started.elapsed()));
        }
        metrics::write(&self.stack, &measured, now);
    }
}

/// Reads the secrets at intervals.
async fn follow(secrets: Arc<LiveSecrets>) {
    loop {
        tokio::time::sleep(FOLLOW_INTERVAL).await;
        secrets.refresh().await;
    }
}

/// Returns the limits with as many connections as memory and system allow, up to the default. One that is passed on takes two
/// files.
fn limits(ends_tls: bool) -> Limits {
    // The kernel is asked, because the unit hides `/proc/meminfo` (`ProcSubset=pid`).
    let host = rustix::system::sysinfo();
    let bytes = host.totalram.saturating_mul(u64::from(host.mem_unit));
    let mut limits = memory::fit(Limits::default(), usize::try_from(bytes).unwrap_or(usize::MAX));
    let front = if ends_tls { limits.undecided + 2 * limits.passed } else { 0 };
    let needed = u64::try_from(limits.connections + front + OTHER_FILES).unwrap_or(u64::MAX);
    match rlimit::increase_nofile_limit(needed) {
        Ok(files) if files < needed => {
            let files = usize::try_from(files).unwrap_or(usize::MAX);
            limits.share_files(files.saturating_sub(OTHER_FILES), ends_tls);
            let (connections, passed) = (limits.connections, limits.passed);
            warn!(target: "relay", files, connections, passed, "the limit of open files is low; raise LimitNOFILE");
        }
        Ok(_) => {}
        Err(error) => warn!(target: "relay", %error, "the limit of open files could not be raised"),
    }
    limits
}
