//! Checks that what was deployed answers: the page and the API.

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
/// How long an AWS emulator may take, in which everything is ready at once.
const EMULATOR_DEADLINE: Duration = Duration::from_secs(30);
/// How long one request may take.
const REQUEST_DEADLINE: Duration = Duration::from_secs(15);
/// The delay before the second request; it grows by half each time.
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// The longest delay between two requests.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// A URL that must answer.
struct Target {
    url: String,
    deadline: Duration,
    hint: &'static str,
}

/// Requests the page and `/health` until both answer, and returns their URLs. What the target does not offer is not
/// requested.
///
/// # Errors
/// Fails if one of them does not answer in time.
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
        hint: "check `peersync-deploy logs login` and `peersync-deploy status`",
    });
    let (page, api) = try_join(answers(&client, page, progress), answers(&client, api, progress)).await?;
    Ok(page.into_iter().chain(api).collect())
}

fn page(stack: &Stack, outputs: &Outputs) -> Option<Target> {
    if let Some(url) = site_page(stack, outputs) {
        let hint = "check `peersync-deploy status` and the bucket in the emulator";
        return Some(Target { url, deadline: EMULATOR_DEADLINE, hint });
    }
    Some(Target {
        url: format!("https://{}/", distribution(outputs)?),
        deadline: EDGE_DEADLINE,
        hint: "a new distribution can take longer: open the URL again later; `peersync-deploy status` shows the \
               distribution",
    })
}

async fn answers(
    client: &reqwest::Client,
    target: Option<Target>,
    progress: &Progress,
) -> Result<Option<String>, DeployError> {
    let Some(Target { url, deadline, hint }) = target else { return Ok(None) };
    let schedule = Schedule { first: FIRST_DELAY, longest: LONGEST_DELAY, deadline };
    let last = Mutex::new(String::new());
    let reason = format!("{url} to answer");
    let answered = until(progress, schedule, &reason, || async {
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
        Err(_) => Err(DeployError::Unanswered { url, last: last.into_inner(), hint: hint.to_owned() }),
    }
}

async fn ask(client: &reqwest::Client, url: &str) -> Result<(), String> {
    match client.get(url).send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("the answer has HTTP status {}", answer.status())),
        Err(error) => Err(innermost_cause(&error)),
    }
}
