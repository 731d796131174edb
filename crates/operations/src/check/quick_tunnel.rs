//! The signaling server behind a quick tunnel, at the address that its host has published last, as `POST /ticket` tells it.

use parking_lot::Mutex;

use super::target::{SIGNALING_DEADLINE, SIGNALING_HINT, Target};
use super::{FIRST_DELAY, LONGEST_DELAY, Patience};
use crate::DeployError;
use peersync_aws::HttpClient;
use peersync_aws::retry::{Schedule, within};
use peersync_engine::{Failure, Outputs, Progress, ResourceError};
use peersync_resources::kinds::signal_instance::published_address;
use peersync_resources::stack::Stack;
use tokio::time::timeout;

/// What the URL is called as long as nobody knows it.
const UNKNOWN: &str = "the address of the quick tunnel";

/// Returns the signaling server of a stack with a quick tunnel; `None` for every other stack, for one whose host has published
/// no address, and for a role that may not read it.
///
/// # Errors
/// The address cannot be read.
pub(crate) async fn signaling_behind(stack: &Stack, outputs: &Outputs) -> Result<Option<Target>, ResourceError> {
    if !(stack.config.has_quick_tunnel() && stack.runs_hosts) {
        return Ok(None);
    }
    let address = match published_address(stack).await {
        Err(error) if error.failure == Failure::Denied => None,
        address => address?,
    };
    let url = address.and_then(|url| Some(format!("https://{}", url.strip_prefix("wss://")?)));
    let origin = stack.site_url(outputs);
    Ok(url.zip(origin).map(|(url, origin)| Target::signaling(url, SIGNALING_HINT, origin)))
}

/// Asks it until it answers: the address is another one after each start of the tunnel.
pub(super) async fn answers(
    stack: &Stack,
    outputs: &Outputs,
    client: &HttpClient,
    patience: Patience,
    progress: &Progress,
) -> Result<Option<String>, DeployError> {
    if !(stack.config.has_quick_tunnel() && stack.runs_hosts) {
        return Ok(None);
    }
    if published_address(stack).await.is_err_and(|error| error.failure == Failure::Denied) {
        progress.note("the signaling server is not asked: this role may not read the address of the quick tunnel");
        return Ok(None);
    }
    let deadline = patience.limit(SIGNALING_DEADLINE);
    let schedule = Schedule { first: FIRST_DELAY, longest: LONGEST_DELAY, deadline };
    let last = Mutex::new((UNKNOWN.to_owned(), "the host has published none".to_owned()));
    let answered = within(progress, schedule, "the quick tunnel to answer", || async {
        let Some(target) = signaling_behind(stack, outputs).await? else { return Ok(None) };
        let Err(reason) = target.ask(client).await else { return Ok(Some(target.url)) };
        *last.lock() = (target.url, reason);
        Ok(None)
    });
    if let Some(url) = timeout(deadline, answered).await.unwrap_or(Ok(None))? {
        return Ok(Some(url));
    }
    let (url, last) = last.into_inner();
    Err(DeployError::Unanswered { url, last, hint: SIGNALING_HINT.to_owned() })
}
