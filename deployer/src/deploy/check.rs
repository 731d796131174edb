//! Checks that what was deployed answers: the page and the API.

use std::time::{Duration, Instant};

use futures::future::try_join;

use super::DeployError;
use super::places::{distribution, gateway_url, site_page};
use crate::engine::Outputs;
use crate::stack::Stack;

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
    look_at: &'static str,
}

/// Requests the page and `/health` until both answer, and returns their URLs. What the target does not offer is not
/// requested.
///
/// # Errors
/// Fails if one of them does not answer in time.
pub async fn check(stack: &Stack, outputs: &Outputs) -> Result<Vec<String>, DeployError> {
    // The provider is installed once per process; installing it a second time is not an error.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(REQUEST_DEADLINE).build().map_err(|error| {
        let error = crate::engine::ResourceError::new("failed to prepare the check").caused_by(error);
        DeployError::Call(error.hint("skip it with `--no-check`"))
    })?;
    let page = page(stack, outputs);
    let api = gateway_url(stack, outputs).map(|url| Target {
        url: format!("{url}/health"),
        deadline: if stack.clients.endpoint_url.is_some() { EMULATOR_DEADLINE } else { API_DEADLINE },
        look_at: "check `peersync-deploy logs login` and `peersync-deploy status`",
    });
    let (page, api) = try_join(answers(&client, page), answers(&client, api)).await?;
    Ok(page.into_iter().chain(api).collect())
}

fn page(stack: &Stack, outputs: &Outputs) -> Option<Target> {
    if let Some(url) = site_page(stack, outputs) {
        let look_at = "check `peersync-deploy status` and the bucket in the emulator";
        return Some(Target { url, deadline: EMULATOR_DEADLINE, look_at });
    }
    Some(Target {
        url: format!("https://{}/", distribution(outputs)?),
        deadline: EDGE_DEADLINE,
        look_at: "a new distribution can take longer: run `peersync-deploy up` again, which only repeats this check; \
                  `peersync-deploy status` shows the distribution",
    })
}

async fn answers(client: &reqwest::Client, target: Option<Target>) -> Result<Option<String>, DeployError> {
    let Some(target) = target else { return Ok(None) };
    let started = Instant::now();
    let mut delay = FIRST_DELAY;
    loop {
        let last = match ask(client, &target.url).await {
            Ok(()) => return Ok(Some(target.url)),
            Err(reason) => reason,
        };
        if started.elapsed() + delay > target.deadline {
            return Err(DeployError::Unanswered { url: target.url, last, look_at: target.look_at.to_owned() });
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 3 / 2).min(LONGEST_DELAY);
    }
}

async fn ask(client: &reqwest::Client, url: &str) -> Result<(), String> {
    match client.get(url).send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("the answer has HTTP status {}", answer.status())),
        Err(error) => Err(reason(&error)),
    }
}

/// Returns the innermost cause: the outer ones only repeat the URL.
fn reason(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}
