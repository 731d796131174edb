//! The signaling server as a program: reads its settings from the environment and its secrets from Parameter Store,
//! serves, and on SIGTERM or SIGINT sends everybody away in good order.

use std::process::ExitCode;
use std::sync::Arc;

use peersync_server::aws;
use peersync_server::secrets::{Secret, Secrets};
use peersync_server::settings::{Function, Settings};
use peersync_server::store::Store;
use peersync_signal::{Ingress, Limits, Parts, Server, bind, serve};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

/// Open files that are not connections of clients: the listener, the log, DynamoDB.
const OTHER_FILES: usize = 76;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(target: "signal", %error, "the signaling server cannot run");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut settings = Settings::from_environment()?;
    settings.function = Function::Signal;
    let limits = limits();
    let config = aws::from_host().await;
    let secrets = Secrets::load(&aws_sdk_ssm::Client::new(&config), &settings).await?;
    let ticket_keys = secrets.ticket_keys(&settings.stack)?;
    let store = Arc::new(Store::lazy(config, settings.tables.clone()));
    let listener = bind(settings.listen)?;
    let (address, connections) = (listener.local_addr()?, limits.connections);
    let ingress = ingress(secrets.origin_key);
    let server = Server::new(Parts { settings, ingress, ticket_keys, store, limits });
    // Before the first client comes: a signal from now on is a drain.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    info!(target: "signal", %address, connections, version = env!("CARGO_PKG_VERSION"), "listening");
    let serving = tokio::spawn(serve(server.clone(), listener));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    info!(target: "signal", clients = server.connections(), "draining");
    server.drain().await;
    serving.abort();
    Ok(())
}

/// With a key there is an edge before us, and only it gets in.
fn ingress(origin_key: Option<Secret>) -> Ingress {
    match origin_key {
        Some(key) => Ingress::Edge(key),
        None => {
            warn!(target: "signal", "there is no parameter origin-key: whoever reaches this port gets in with a ticket");
            Ingress::Direct
        }
    }
}

/// As many connections as the system lets us have open, up to the default.
fn limits() -> Limits {
    let mut limits = Limits::default();
    let other = limits.spare_connections + OTHER_FILES;
    let wanted = u64::try_from(limits.connections + other).unwrap_or(u64::MAX);
    match rlimit::increase_nofile_limit(wanted) {
        Ok(files) if files < wanted => {
            limits.connections = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(other).max(100);
            warn!(target: "signal", files, connections = limits.connections, "few open files are allowed: set LimitNOFILE");
        }
        Ok(_) => {}
        Err(error) => warn!(target: "signal", %error, "the limit of open files is unknown"),
    }
    limits
}
