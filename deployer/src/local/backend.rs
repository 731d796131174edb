//! The parts behind the edge: database, API and signaling, in this process or in an AWS emulator.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request};
use peersync_api::{self as api, SecretSource, State};
use peersync_server::clock::Clock;
use peersync_server::secrets::{LiveSecrets, Secrets};
use peersync_server::settings::Settings;
use peersync_server::store::Store;
use peersync_signal::{Limits, Parts, Server};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::announce::Part;
use super::database::{DataFolder, LocalDatabase};
use super::edge::Source;
use super::endpoint::Endpoint;
use super::options::Options;
use super::provision::{Provisioned, database_stack, endpoint_stack, provision, provision_alone};
use super::{LocalError, function_logs, gateway, programs};
use peersync_engine::Interrupt;
use peersync_resources::kinds::rest_api;
use peersync_resources::stack::Stack;

const HERE: &str = "in this process";
/// The name of the REST API's stage.
const API_STAGE: &str = "api";

/// The kind of the tables, which is all that the embedded database needs.
const TABLES: &str = "dynamodb_table";

/// The parts that the edge forwards to.
pub struct Backend {
    /// The API's routes, without the prefix `/api`.
    pub api: Router,
    /// The state of the API in this process. It uses the same database even if the API runs elsewhere.
    pub api_state: State,
    /// The signaling server.
    pub signaling: Server,
    /// The secrets of API and signaling.
    pub secrets: Arc<LiveSecrets>,
    /// The source of the pages.
    pub pages: Source,
    /// The key by which API and signaling know that a request came through the edge.
    pub origin_key: HeaderValue,
    /// What runs where.
    pub parts: Vec<Part>,
    /// What is missing, each with the reason.
    pub missing: Vec<String>,
}

/// Starts all parts: those that the emulator offers there, the others in this process.
///
/// # Errors
/// Fails if a part cannot start.
pub async fn start(
    options: &Options,
    folder: Option<&DataFolder>,
    settings: Settings,
    stop: &CancellationToken,
) -> Result<Backend, LocalError> {
    match &options.endpoint {
        Some(endpoint) => at_endpoint(options, endpoint, folder, settings, stop).await,
        None => embedded(options, folder, settings, stop).await,
    }
}

/// Starts everything in this process.
async fn embedded(
    options: &Options,
    folder: Option<&DataFolder>,
    settings: Settings,
    stop: &CancellationToken,
) -> Result<Backend, LocalError> {
    let secrets = programs::secrets(&options.config);
    let (client, kept) = database(options, folder, stop).await?;
    let origin_key = origin_key(&secrets)?;
    let secrets = Arc::new(LiveSecrets::fixed(secrets));
    let state = api_state(&settings, client.clone(), Arc::clone(&secrets));
    Ok(Backend {
        api: api::router(state.clone()),
        signaling: signaling(settings, client, Arc::clone(&secrets))?,
        secrets,
        api_state: state,
        pages: Source::Embedded,
        origin_key,
        parts: vec![
            Part::embedded("Edge", HERE),
            Part::embedded("API", HERE),
            Part::embedded("Signaling", HERE),
            Part::embedded("Mail", HERE),
            Part::embedded("DynamoDB", kept),
        ],
        missing: missing(),
    })
}

/// Starts the embedded database with its tables, and returns its client and where its data is.
async fn database(
    options: &Options,
    folder: Option<&DataFolder>,
    stop: &CancellationToken,
) -> Result<(aws_sdk_dynamodb::Client, String), LocalError> {
    let database = LocalDatabase::start(folder, stop.clone())?;
    let stack = database_stack(options.config.clone(), &database)?;
    let interrupt = Interrupt { stop: stop.clone(), ..Interrupt::default() };
    provision(&stack, |address| address.kind == TABLES, interrupt, &options.reporter).await?.complete()?;
    let kept = match folder {
        Some(folder) => format!("{HERE}, data in {}", folder.path().display()),
        None => format!("{HERE}, data in memory"),
    };
    Ok((stack.clients.dynamodb.clone(), kept))
}

/// Deploys the stack to the emulator as far as possible. What the emulator claims to offer is tried: only what answers
/// is used. Everything else runs in this process, and is named.
async fn at_endpoint(
    options: &Options,
    endpoint: &Endpoint,
    folder: Option<&DataFolder>,
    settings: Settings,
    stop: &CancellationToken,
) -> Result<Backend, LocalError> {
    let stack = endpoint_stack(programs::configuration(&options.config, &settings), endpoint).await?;
    let interrupt = Interrupt { stop: stop.clone(), ..Interrupt::default() };
    let provisioned = provision_alone(&stack, interrupt, &options.reporter, options.place.clone()).await?;
    let there = format!("at {}", endpoint.url);
    let absent = stack.clients.absent.iter();
    let mut missing: Vec<String> =
        absent.map(|(service, reason)| format!("{service}: the endpoint does not offer it: {reason}")).collect();
    missing.extend(provisioned.troubles());
    let secrets = secrets_of(&stack, &provisioned, &settings).await?;
    let (client, data) = match provisioned.has(&[TABLES]) {
        true => (stack.clients.dynamodb.clone(), there.clone()),
        false => database(options, folder, stop).await?,
    };
    let origin_key = origin_key(&secrets)?;
    let secrets = Arc::new(LiveSecrets::fixed(secrets));
    let state = api_state(&settings, client.clone(), Arc::clone(&secrets));
    let gateway = gateway(&stack, &provisioned, endpoint, &settings.site_url).await?;
    if gateway.is_some() {
        function_logs::follow(&stack, stop.clone());
    }
    if gateway.is_none() && provisioned.has(&["lambda_function"]) {
        missing.push("lambda: the emulator's functions do not answer, so the API runs in this process".to_owned());
    }
    let api_place = if gateway.is_some() { there.clone() } else { HERE.to_owned() };
    let pages = pages(&stack, &provisioned).await;
    let pages_place = if matches!(pages, Source::Bucket { .. }) { there } else { HERE.to_owned() };
    missing.extend(self::missing());
    Ok(Backend {
        api: gateway.unwrap_or_else(|| api::router(state.clone())),
        signaling: signaling(settings, client, Arc::clone(&secrets))?,
        secrets,
        api_state: state,
        pages,
        origin_key,
        parts: vec![
            Part::embedded("Edge", HERE),
            Part::embedded("Pages", pages_place),
            Part::embedded("API", api_place),
            Part::embedded("Signaling", HERE),
            Part::embedded("Mail", HERE),
            Part::embedded("DynamoDB", data),
        ],
        missing,
    })
}

/// Returns the stack's own secrets, so that functions and signaling understand each other, and new ones for those that
/// do not exist.
async fn secrets_of(stack: &Stack, provisioned: &Provisioned, settings: &Settings) -> Result<Secrets, LocalError> {
    let mut secrets = programs::secrets(&stack.config);
    if provisioned.has(&["ssm_parameter"]) {
        let kept = Secrets::load(&stack.clients.ssm, settings).await;
        let kept = kept.map_err(|error| LocalError::part("the secrets", error))?;
        secrets.origin_key = kept.origin_key.or(secrets.origin_key);
        secrets.ticket_key = kept.ticket_key.or(secrets.ticket_key);
        secrets.turn_secret = kept.turn_secret.or(secrets.turn_secret);
        secrets.turn_secret_previous = kept.turn_secret_previous;
        secrets.turn_secret_previous_written = kept.turn_secret_previous_written;
        secrets.ticket_key_previous = kept.ticket_key_previous;
        secrets.ticket_key_previous_written = kept.ticket_key_previous_written;
    }
    Ok(secrets)
}

/// Returns the API in the emulator, if it really answers.
async fn gateway(
    stack: &Stack,
    provisioned: &Provisioned,
    endpoint: &Endpoint,
    site_url: &str,
) -> Result<Option<Router>, LocalError> {
    let needed = ["api_stage", "api_routes", "lambda_function", "lambda_permission", TABLES];
    let Some(id) = provisioned.outcome.outputs.get(&rest_api::address(), "id") else { return Ok(None) };
    if !provisioned.has(&needed) {
        return Ok(None);
    }
    let router = gateway::router(&stack.clients.http, &endpoint.url, id, API_STAGE, site_url)?;
    let request = Request::builder().uri("/health").body(Body::empty());
    let request = request.map_err(|error| LocalError::part("the gateway client", error))?;
    let answer = router.clone().oneshot(request).await;
    Ok(answer.is_ok_and(|response| response.status().is_success()).then_some(router))
}

/// Returns the bucket as the source of the pages, if it serves them.
async fn pages(stack: &Stack, provisioned: &Provisioned) -> Source {
    let (client, bucket) = (stack.clients.s3.clone(), stack.bucket());
    if !provisioned.has(&["s3_bucket", "s3_objects"]) {
        return Source::Embedded;
    }
    match client.head_object().bucket(&bucket).key("index.html").send().await {
        Ok(_) => Source::Bucket { client, bucket },
        Err(_) => Source::Embedded,
    }
}

fn origin_key(secrets: &Secrets) -> Result<HeaderValue, LocalError> {
    let key = secrets.origin_key.as_ref().map(|key| HeaderValue::from_str(key.reveal()));
    key.and_then(Result::ok).ok_or_else(|| LocalError::part("the edge", "its key cannot be sent in a header"))
}

/// Returns what exists in AWS but not on this computer.
fn missing() -> Vec<String> {
    vec!["CloudWatch logs, alarms and dashboard: the log is printed to this terminal".to_owned()]
}

fn api_state(settings: &Settings, client: aws_sdk_dynamodb::Client, secrets: Arc<LiveSecrets>) -> State {
    let store = Store::new(client, settings.tables.clone());
    State::new(settings.clone(), store, SecretSource::Given(secrets))
}

fn signaling(
    settings: Settings,
    client: aws_sdk_dynamodb::Client,
    secrets: Arc<LiveSecrets>,
) -> Result<Server, LocalError> {
    let known = secrets.known().unwrap_or_default();
    known
        .ticket_keys(&settings.stack, Clock::default().now())
        .map_err(|error| LocalError::part("the signaling server", error))?;
    let store = Arc::new(Store::new(client, settings.tables.clone()));
    Ok(Server::new(Parts { settings, secrets, store, limits: Limits::default(), clock: Clock::default() }))
}
