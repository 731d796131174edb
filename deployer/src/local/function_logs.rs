//! Shows what the functions in the emulator write as lines of the log in this terminal.

use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use peersync_operations::logs::{Tail, printable};
use peersync_resources::stack::Stack;

/// How often the emulator is asked for new lines.
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
                    // Logged once: the requests that fail show that the emulator is unreachable.
                    warn!(target: "api", %error, "the functions' logs are no longer shown");
                    break;
                }
            }
        }
    });
}
