//! Whether what was deployed answers: the page and the API, through the best way that there is.

use std::time::Duration;

use futures::future::try_join;

use super::DeployError;
use super::places::{distribution, gateway_url, site_page};
use parking_lot::Mutex;
use peersync_aws::retry::{Schedule, until};
use peersync_engine::error::innermost_cause;
use peersync_engine::{Outputs, Progress};
use peersync_resources::stack::Stack;

/// How long the API may take: a new role and a new function are usable within seconds, at most about a minute.
const API_DEADLINE: Duration = Duration::from_secs(120);
/// How long the page may take: a new distribution reaches the edge within 3 to 10 minutes.
const EDGE_DEADLINE: Duration = Duration::from_secs(15 * 60);
/// How long an endpoint that stands for AWS may take; there everything is ready at once.
const EMULATOR_DEADLINE: Duration = Duration::from_secs(30);
/// When one request is given up.
const REQUEST_DEADLINE: Duration = Duration::from_secs(15);
/// The first delay between two requests; it grows by half each time.
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// The longest delay between two requests.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// One thing that must answer.
struct Target {
    url: String,
    deadline: Duration,
    look_at: &'static str,
}

/// Asks for the page and for `/health` until both answer; returns the URLs that did. What the target does not offer is
/// not asked for.
///
/// # Errors
/// One of them does not answer in time.
pub async fn check(stack: &Stack, outputs: &Outputs, progress: &Progress) -> Result<Vec<String>, DeployError> {
    // The provider is installed once in a process; a second time is no error.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(REQUEST_DEADLINE).build().map_err(|error| {
        let error = peersync_engine::ResourceError::new("failed to prepare the check").caused_by(error);
        DeployError::Call(error.hint("skip it with `--no-check`"))
    })?;
    let page = page(stack, outputs);
    let api = gateway_url(stack, outputs).map(|url| Target {
        url: format!("{url}/health"),
        deadline: if stack.clients.endpoint_url.is_some() { EMULATOR_DEADLINE } else { API_DEADLINE },
        look_at: "look at `peersync-deploy logs login`, and at `peersync-deploy status`",
    });
    let (page, api) = try_join(answers(&client, page, progress), answers(&client, api, progress)).await?;
    Ok(page.into_iter().chain(api).collect())
}

fn page(stack: &Stack, outputs: &Outputs) -> Option<Target> {
    if let Some(url) = site_page(stack, outputs) {
        let look_at = "look at `peersync-deploy status`, and at what the endpoint says about the bucket";
        return Some(Target { url, deadline: EMULATOR_DEADLINE, look_at });
    }
    Some(Target {
        url: format!("https://{}/", distribution(outputs)?),
        deadline: EDGE_DEADLINE,
        look_at: "a new distribution can take longer: ask again with `peersync-deploy up`, which changes nothing else; \
                  `peersync-deploy status` shows the distribution",
    })
}

async fn answers(
    client: &reqwest::Client,
    target: Option<Target>,
    progress: &Progress,
) -> Result<Option<String>, DeployError> {
    let Some(Target { url, deadline, look_at }) = target else { return Ok(None) };
    let schedule = Schedule { first: FIRST_DELAY, longest: LONGEST_DELAY, deadline };
    let last = Mutex::new(String::new());
    let answered = until(progress, schedule, &format!("{url} to answer"), || async {
        match ask(client, &url).await {
            Ok(()) => Ok(Some(())),
            Err(reason) => {
                *last.lock() = reason;
                Ok(None)
            }
        }
    });
    match answered.await {
        Ok(()) => Ok(Some(url)),
        Err(_) => Err(DeployError::Unanswered { url, last: last.into_inner(), look_at: look_at.to_owned() }),
    }
}

async fn ask(client: &reqwest::Client, url: &str) -> Result<(), String> {
    match client.get(url).send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("it answers with HTTP status {}", answer.status())),
        Err(error) => Err(innermost_cause(&error)),
    }
}
