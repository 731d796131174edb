//! The relay as a program: a STUN and TURN server for calls that cannot go directly. It reads its settings from the
//! environment, and the secret of its credentials from Parameter Store, again and again while it serves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peersync_relay::{Certificate, Limits, Listeners, Relay, Running, Settings as Served, StackAuthority, Usage};
use peersync_relay::{bind, serve};
use peersync_server::aws;
use peersync_server::clock::Clock;
use peersync_server::secrets::{FOLLOW_INTERVAL, LiveSecrets, ParameterStore};
use peersync_server::settings::{Function, RelaySettings, Settings};
use peersync_server::store::Store;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

/// The interval at which the traffic is stored and logged.
const REPORT: Duration = Duration::from_secs(60);
/// The number of open files that are not connections of clients: the sockets, the log, the database.
const OTHER_FILES: usize = 76;
/// What is logged by default. The parser of STUN warns of each malformed packet, with which strangers could fill the log.
const LOGGED: &str = "info,stun_types=error,turn_types=error";

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(target: "relay", %error, "the relay cannot start");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut settings = Settings::from_environment()?;
    settings.function = Function::Relay;
    let own = RelaySettings::from_environment()?;
    let config = aws::from_host().await;
    let clock = Clock::default();
    let secrets = Arc::new(LiveSecrets::new(ParameterStore::new(config.clone(), settings.clone()), clock.clone()));
    if secrets.current().await?.turn_secrets(clock.now()).is_empty() {
        return Err("the parameter turn-secret does not exist; `peersync-deploy up` creates it".into());
    }
    let certificate = own.certificate.as_ref().map(|files| Certificate::read(&files.certificate, &files.key));
    let listeners = listen(&own)?;
    let served = Served { realm: settings.stack.clone(), address: own.address, limits: limits() };
    let authority = StackAuthority::new(Arc::clone(&secrets), clock.clone());
    let relay = serve(Relay::new(served, authority, Instant::now()), listeners, certificate.transpose()?)?;
    let store = Arc::new(Store::lazy(config, settings.tables.clone()));
    let mut usage = Usage::new(store, clock, own.monthly_bytes);
    info!(target: "relay", version = env!("CARGO_PKG_VERSION"), "listening");
    let following = tokio::spawn(follow(secrets));
    report_until_told_to_end(&relay, &mut usage).await?;
    following.abort();
    Ok(())
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
    bind(&addresses(&settings.udp_ports), &addresses(&settings.tcp_ports), &addresses(&settings.tls_ports))
}

/// Stores and logs the traffic every minute, and once more at the end.
async fn report_until_told_to_end(relay: &Running<StackAuthority>, usage: &mut Usage) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut minutes = interval(REPORT);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = minutes.tick() => usage.report(relay).await,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    usage.report(relay).await;
    info!(target: "relay", "ended");
    Ok(())
}

/// Reads the secrets at intervals.
async fn follow(secrets: Arc<LiveSecrets>) {
    loop {
        tokio::time::sleep(FOLLOW_INTERVAL).await;
        secrets.refresh().await;
    }
}

/// Returns the limits with as many connections as the system allows, up to the default.
fn limits() -> Limits {
    let mut limits = Limits::default();
    let needed = u64::try_from(limits.connections + OTHER_FILES).unwrap_or(u64::MAX);
    match rlimit::increase_nofile_limit(needed) {
        Ok(files) if files < needed => {
            limits.connections = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(OTHER_FILES).max(100);
            warn!(target: "relay", files, connections = limits.connections, "the limit of open files is low; raise LimitNOFILE");
        }
        Ok(_) => {}
        Err(error) => warn!(target: "relay", %error, "the limit of open files could not be raised"),
    }
    limits
}
