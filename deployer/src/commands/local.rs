//! The command `local`: runs the whole product on this computer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{CommandError, Context, Exit, output};
use crate::cli::{LocalArgs, LocalCommand};
use crate::local::edge::Settings as Network;
use crate::local::options::{Options, data_folder};
use crate::local::run::{Announcement, run as run_local};
use crate::local::{LocalError, endpoint, log};
use peersync_engine::Silent;

/// The folder of pages that is served and watched if it exists, as it does in a clone of the repository.
const ASSETS: &str = "assets";

/// Runs the command.
///
/// # Errors
/// Fails if a part cannot start; the error says how to fix it.
pub async fn run(context: &Context, args: &LocalArgs) -> Result<Exit, CommandError> {
    // The HTTP client needs a TLS provider; an error means that another part has already installed one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match &args.command {
        Some(LocalCommand::Down(down)) => super::local_down::run(context, down).await,
        None => start(context, args).await,
    }
}

async fn start(context: &Context, args: &LocalArgs) -> Result<Exit, CommandError> {
    log::start();
    let options = options(context, args).await?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        peersync_operations::asked_to_stop().await;
        token.cancel();
    });
    let json = context.json();
    run_local(options, stop, |announcement| tell(announcement, json)).await?;
    Ok(Exit::Done)
}

async fn options(context: &Context, args: &LocalArgs) -> Result<Options, CommandError> {
    let named = context.named_endpoint()?;
    let endpoint = if args.embedded { None } else { endpoint::find(named.as_deref()).await? };
    if endpoint.is_some() {
        // Only checked; the emulator is called in the region that the SDK reads.
        context.connect_options()?;
    }
    if let (Some(endpoint), None) = (&endpoint, &named) {
        output::note(&format!(
            "Found an emulator at {}: deploying the stack there. Use `--embedded` to ignore it.",
            endpoint.url
        ));
    }
    let milliseconds = |span: Option<peersync_config::Span>| {
        span.map_or(0, |span| u64::try_from(span.0.as_millis()).unwrap_or(u64::MAX))
    };
    Ok(Options {
        config: context.config()?.clone(),
        port: args.port,
        host: args.host,
        https: args.https,
        relay_host: args.relay_host,
        relay_ports: args.relay_port.clone(),
        private_mail: args.private_mail,
        data: (!args.ephemeral).then(|| data_folder(args.data.as_deref())),
        assets: assets(args.assets.as_deref())?,
        seed: args.seed.is_some(),
        network: Network {
            latency_ms: milliseconds(args.latency),
            drop: args.drop.unwrap_or_default(),
            kill_signaling_every_ms: milliseconds(args.kill_signaling_every),
        },
        endpoint,
        place: super::lease::place(),
        reporter: Arc::new(Silent),
    })
}

/// Returns the folder that was named, or `./assets` if it contains the pages.
fn assets(named: Option<&Path>) -> Result<Option<PathBuf>, LocalError> {
    let is_ours = |folder: &Path| folder.join("index.html").is_file();
    match named {
        Some(folder) if is_ours(folder) => Ok(Some(folder.to_owned())),
        Some(folder) => Err(LocalError::Assets { folder: folder.to_owned() }),
        None => Ok(Some(PathBuf::from(ASSETS)).filter(|folder| is_ours(folder))),
    }
}

fn tell(announcement: &Announcement, json: bool) {
    if json {
        for person in &announcement.people {
            output::event(&serde_json::json!({
                "event": "person", "name": person.name, "email": person.email, "link": person.link, "number": person.number,
            }));
        }
        output::event(&announcement.ready.event());
        return;
    }
    output::data(&announcement.ready.text());
    for person in &announcement.people {
        output::data(&format!(
            "Sign in as {:<5} {}\n                enter the number {} when the page asks for it",
            person.name, person.link, person.number
        ));
    }
}
