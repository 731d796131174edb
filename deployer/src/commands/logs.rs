//! The command `logs`: prints the log entries of the stack's components, merged by time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::run::Run;
use super::{CommandError, Context, Exit};
use crate::cli::{Component, LogsArgs};
use crate::report::{Sink, Style};
use peersync_operations::logs::{Entry, Tail, printable};
use peersync_operations::until_stopped;

/// How far back the first read goes.
const WINDOW: Duration = Duration::from_secs(3600);
/// How long `-f` waits between reads.
const INTERVAL: Duration = Duration::from_secs(2);

/// Runs the command.
///
/// # Errors
/// Fails if AWS denies access or no log group exists.
pub async fn run(context: &Context, args: &LogsArgs) -> Result<Exit, CommandError> {
    let run = Run::new(context);
    let stack = run.stack(context).await?;
    let since = SystemTime::now().checked_sub(WINDOW).unwrap_or(UNIX_EPOCH);
    let mut tail = Tail::new(&stack, args.component.map(name), since);
    let printer = Printer { json: context.json(), style: run.report.style(), sink: Sink::stdout() };
    let mut lines = 0_u64;
    loop {
        let entries = until_stopped(&run.interrupt, run.report.attributed(tail.next())).await;
        let Ok(entries) = entries else { break };
        let Some(entries) = entries? else {
            return Err(
                CommandError::new(format!("{} has no logs", stack.name())).hint("deploy it: `peersync-deploy up`")
            );
        };
        for entry in entries {
            if printer.print(&entry).is_err() {
                // The reader of our output has gone away.
                return Ok(Exit::Done);
            }
            lines += 1;
        }
        if !args.follow || until_stopped(&run.interrupt, tokio::time::sleep(INTERVAL)).await.is_err() {
            break;
        }
    }
    run.report.event(&json!({ "event": "result", "command": "logs", "status": "done", "lines": lines }));
    Ok(Exit::Done)
}

fn name(component: Component) -> &'static str {
    match component {
        Component::Signup => "signup",
        Component::Login => "login",
        Component::Friends => "friends",
        Component::Rooms => "rooms",
        Component::Signal => "signal",
        Component::ApiAccess => "api-access",
    }
}

/// Writes entries to standard output.
struct Printer {
    json: bool,
    style: Style,
    sink: Sink,
}

impl Printer {
    fn print(&self, entry: &Entry) -> std::io::Result<()> {
        let time = moment(entry.time);
        let message = entry.message.trim_end();
        if self.json {
            let event = json!({ "event": "log", "time": time, "component": entry.component, "message": message });
            return self.sink.try_line(&event.to_string());
        }
        let component = self.style.cyan(&format!("{:10}", entry.component));
        self.sink.try_line(&format!("{} {component} {}", self.style.dim(&time), printable(message)))
    }
}

fn moment(milliseconds: i64) -> String {
    let since = Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default());
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}
