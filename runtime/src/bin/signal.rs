//! The signaling server as a program: reads its settings from the environment and its secrets from Parameter Store,
//! serves, and drains on SIGTERM or SIGINT. While it serves, it reads the secrets again and again, so that it need not
//! be restarted when one changes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use peersync_runtime::log;
use peersync_server::clock::Clock;
use peersync_server::secrets::{FOLLOW_INTERVAL, LiveSecrets, ParameterStore, SecretsError};
use peersync_server::settings::{Function, Settings};
use peersync_server::store::Store;
use peersync_server::{aws, metrics};
use peersync_signal::{Limits, Parts, Server, bind, memory, quick_tunnel, serve, tell_occupancy, tunnel};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info, warn};

/// The number of open files that are not connections of clients: the listener, the log, DynamoDB.
const OTHER_FILES: usize = 76;
/// The interval at which the metrics are written.
const REPORT: Duration = Duration::from_secs(60);
/// How long it may take to give the address of a quick tunnel up. Together with the drain, that is less than systemd waits.
const GIVE_UP: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> ExitCode {
    let errors = log::of_host("info");
    match run(errors).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(target: "signal", %error, "the signaling server cannot start");
            ExitCode::FAILURE
        }
    }
}

async fn run(errors: log::Errors) -> Result<(), Box<dyn std::error::Error>> {
    let mut settings = Settings::from_environment()?;
    settings.function = Function::Signal;
    let limits = limits();
    let config = aws::from_host().await;
    let secrets = read_secrets(ParameterStore::new(config.clone(), settings.clone()), &settings).await?;
    let store = Arc::new(Store::lazy(config, settings.tables.clone()));
    let listener = bind(settings.listen).map_err(|error| format!("TCP {}: {error}", settings.listen))?;
    let (address, connections, sessions) = (listener.local_addr()?, limits.connections, limits.sessions);
    let stack = settings.stack.clone();
    let following = tokio::spawn(follow(Arc::clone(&secrets), settings.tunnel_file.clone()));
    let (drained, end) = oneshot::channel::<()>();
    let publishing = tokio::spawn(publish(Arc::clone(&store), settings.clone(), end));
    let server = Server::new(Parts { settings, secrets, store, limits, clock: Clock::default() });
    // Registered before the first client connects: from now on a signal starts a drain.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    info!(target: "signal", %address, connections, sessions, version = env!("CARGO_PKG_VERSION"), "listening");
    let serving = tokio::spawn(serve(server.clone(), listener));
    let telling = tokio::spawn(tell_occupancy(server.clone()));
    let report = move |server: &Server| {
        let measured: Vec<_> = server.measure().into_iter().chain(errors.take()).collect();
        metrics::write(&stack, &measured, Clock::default().now());
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = report_every_minute(&server, &report) => {}
    }
    info!(target: "signal", clients = server.connections(), "draining");
    server.drain().await;
    report(&server);
    drop(drained);
    let given_up = tokio::time::timeout(GIVE_UP, publishing).await;
    if given_up.is_err() {
        warn!(target: "signal", "the address of the quick tunnel is not given up in time");
    }
    serving.abort();
    following.abort();
    telling.abort();
    Ok(())
}

/// Reports every minute, first now.
async fn report_every_minute(server: &Server, report: &impl Fn(&Server)) {
    let mut minutes = interval(REPORT);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        minutes.tick().await;
        report(server);
    }
}

/// Reads the secrets for the first time.
///
/// # Errors
/// They cannot be read, or the key for tickets is not among them.
async fn read_secrets(source: ParameterStore, settings: &Settings) -> Result<Arc<LiveSecrets>, SecretsError> {
    let live = LiveSecrets::new(source, Clock::default());
    let secrets = live.current().await?;
    let now = Clock::default().now();
    secrets.ticket_keys(&settings.stack, now)?;
    if settings.entrance.has_edge() && secrets.origin_keys(now).is_empty() {
        warn!(target: "signal", "the parameter origin-key does not exist: this port accepts anybody with a ticket");
    }
    Ok(Arc::new(live))
}

/// Reads the secrets at intervals, and passes the token of the tunnel on.
async fn follow(secrets: Arc<LiveSecrets>, tunnel_file: Option<PathBuf>) {
    loop {
        if let (Some(file), Some(known)) = (&tunnel_file, secrets.known())
            && let Err(error) = tunnel::pass_on(file, known.tunnel_token.as_ref()).await
        {
            warn!(target: "signal", %error, "the token of the tunnel could not be passed on");
        }
        tokio::time::sleep(FOLLOW_INTERVAL).await;
        secrets.refresh().await;
    }
}

/// Publishes the address of the quick tunnel until `end`, if the host has one.
async fn publish(store: Arc<Store>, settings: Settings, end: oneshot::Receiver<()>) {
    if let Some(metrics) = settings.tunnel_metrics {
        let folder = settings.tunnel_file.as_deref().and_then(Path::parent).unwrap_or(Path::new("."));
        quick_tunnel::follow(store, metrics, folder, Clock::default(), quick_tunnel::Times::default(), end).await;
    }
}

/// Returns what the server may use of this host's memory, in bytes. The kernel is asked, because the unit of the server hides
/// `/proc/meminfo` (`ProcSubset=pid`).
fn budget() -> usize {
    let host = rustix::system::sysinfo();
    let bytes = |units: u64| usize::try_from(units.saturating_mul(u64::from(host.mem_unit))).unwrap_or(usize::MAX);
    memory::budget(bytes(host.totalram), bytes(host.totalswap))
}

/// Returns the limits with as many connections as memory and system allow, up to the default.
fn limits() -> Limits {
    let mut limits = memory::fit(Limits::default(), budget());
    let other = limits.spare_connections + OTHER_FILES;
    let needed = u64::try_from(limits.connections + other).unwrap_or(u64::MAX);
    match rlimit::increase_nofile_limit(needed) {
        Ok(files) if files < needed => {
            let allowed = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(other).max(100);
            limits.connections = limits.connections.min(allowed);
            // As many places as by default are for those who have not said `hello`.
            limits.greeting = limits.greeting.min(limits.connections / 6);
            limits.sessions = limits.connections - limits.greeting;
            warn!(target: "signal", files, connections = limits.connections, "the limit of open files is low; raise LimitNOFILE");
        }
        Ok(_) => {}
        Err(error) => warn!(target: "signal", %error, "the limit of open files could not be raised"),
    }
    limits
}
