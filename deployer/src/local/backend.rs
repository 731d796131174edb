//! What stands behind the edge: database, API and signaling, here or at an endpoint.

use std::sync::Arc;

use axum::Router;
use peersync_runtime::api::{self, SecretSource, State};
use peersync_runtime::secrets::Secrets;
use peersync_runtime::settings::Settings;
use peersync_runtime::signal::{Ingress, Limits, Parts, Server};
use peersync_runtime::store::Store;
use tokio_util::sync::CancellationToken;

use super::LocalError;
use super::announce::Part;
use super::database::{DataFolder, LocalDatabase};
use super::edge::Source;
use super::provision::{database_stack, provision};
use super::run::Options;
use crate::engine::Interrupt;

/// What is ready to be put behind the edge.
pub struct Backend {
    /// The API's routes, without `/api`.
    pub api: Router,
    /// The API's state in this process; it works on the same database also where the API runs elsewhere.
    pub api_state: State,
    /// The signaling server.
    pub signaling: Server,
    /// Where the pages come from.
    pub pages: Source,
    /// What runs where.
    pub parts: Vec<Part>,
    /// What is not here, each with the reason.
    pub missing: Vec<String>,
}

/// Everything in this process.
///
/// # Errors
/// The database cannot be opened, or the engine cannot make the tables.
pub async fn embedded(
    options: &Options,
    folder: Option<&DataFolder>,
    settings: Settings,
    secrets: Secrets,
    stop: &CancellationToken,
) -> Result<Backend, LocalError> {
    let database = LocalDatabase::start(folder, stop.clone()).await?;
    let stack = database_stack(options.config.clone(), &database.endpoint_url).await?;
    let interrupt = Interrupt { stop: stop.clone(), ..Interrupt::default() };
    provision(&stack, |address| address.kind == "dynamodb_table", interrupt, &options.reporter).await?;
    let kept = match folder {
        Some(folder) => format!("in this process, its data in {}", folder.path().display()),
        None => "in this process, its data in memory".to_owned(),
    };
    let here = "in this process";
    let state = api_state(&settings, stack.clients.dynamodb.clone(), secrets.clone());
    Ok(Backend {
        api: api::router(state.clone()),
        signaling: signaling(settings, stack.clients.dynamodb.clone(), &secrets)?,
        api_state: state,
        pages: Source::Embedded,
        parts: vec![
            Part::embedded("Edge", here),
            Part::embedded("API", here),
            Part::embedded("Signaling", here),
            Part::embedded("Mail", here),
            Part::embedded("DynamoDB", kept),
        ],
        missing: missing(options),
    })
}

/// What AWS has and a laptop does not.
fn missing(options: &Options) -> Vec<String> {
    let mut missing = vec!["logs, alarms and the dashboard of CloudWatch: the log is in this terminal".to_owned()];
    if options.config.turn.urls.is_empty() {
        missing.push("TURN: calls between networks need one, set turn.urls".to_owned());
    }
    missing
}

fn api_state(settings: &Settings, client: aws_sdk_dynamodb::Client, secrets: Secrets) -> State {
    let store = Store::new(client, settings.tables.clone());
    State::new(settings.clone(), store, SecretSource::Given(Box::new(secrets)))
}

fn signaling(settings: Settings, client: aws_sdk_dynamodb::Client, secrets: &Secrets) -> Result<Server, LocalError> {
    let ticket_keys =
        secrets.ticket_keys(&settings.stack).map_err(|error| LocalError::part("the signaling server", error))?;
    let Some(origin_key) = secrets.origin_key.clone() else {
        return Err(LocalError::part("the signaling server", "it has no key for the edge"));
    };
    let store = Arc::new(Store::new(client, settings.tables.clone()));
    let limits = Limits::default();
    Ok(Server::new(Parts { settings, ingress: Ingress::Edge(origin_key), ticket_keys, store, limits }))
}
