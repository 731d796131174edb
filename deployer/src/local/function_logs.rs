//! What the functions at the endpoint write, as lines of the one log in this terminal.

use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use peersync_operations::logs::{Tail, printable};
use peersync_resources::stack::Stack;

/// How often the endpoint is asked for new lines.
const INTERVAL: Duration = Duration::from_secs(1);

/// Shows what the functions write from now on, until `stop`.
pub fn follow(stack: &Stack, stop: CancellationToken) {
    let mut tail = Tail::new(stack, None, SystemTime::now());
    tokio::spawn(async move {
        while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
            let Some(answer) = stop.run_until_cancelled(tail.next()).await else { break };
            match answer {
                Ok(entries) => entries.into_iter().flatten().for_each(|entry| {
                    info!(target: "api", function = entry.component, "{}", printable(entry.message.trim_end()));
                }),
                Err(error) => {
                    // Once: an endpoint that is away is told by the requests that fail.
                    warn!(target: "api", %error, "the functions' logs are not shown any more");
                    break;
                }
            }
        }
    });
}
