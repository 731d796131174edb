//! `logs`: what the stack's parts have written, merged in the order of time.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::try_join_all;
use serde_json::json;

use super::run::Run;
use super::{CommandError, Context, Exit};
use crate::aws::{Clients, NotFound as _};
use crate::cli::{Component, LogsArgs};
use crate::deploy::until_stopped;
use crate::engine::ResourceError;
use crate::report::{Sink, Style};
use crate::stack::{FUNCTIONS, Stack};

/// How far back the first look goes.
const WINDOW: Duration = Duration::from_secs(3600);
/// How often `-f` looks again.
const INTERVAL: Duration = Duration::from_secs(2);
/// How far `-f` looks back each time: CloudWatch shows events up to some seconds late.
const OVERLAP: Duration = Duration::from_secs(30);
/// How many events are remembered as shown; more than a group gives out within the overlap.
const REMEMBERED: usize = 20_000;

/// A log group and the component that writes it.
struct Source {
    component: &'static str,
    group: String,
}

/// One line of a log.
struct Entry {
    id: String,
    /// Milliseconds since 1970.
    time: i64,
    component: &'static str,
    message: String,
}

/// Runs the command.
///
/// # Errors
/// No access; none of the log groups is there.
pub async fn run(context: &Context, args: &LogsArgs) -> Result<Exit, CommandError> {
    let run = Run::new(context);
    let stack = run.stack(context, None).await?;
    let sources = sources(&stack, args.component);
    let printer = Printer { json: context.json(), style: run.report.style(), sink: Sink::stdout() };
    let mut shown = Shown::default();
    let mut since = SystemTime::now().checked_sub(WINDOW).unwrap_or(UNIX_EPOCH);
    loop {
        let entries = until_stopped(&run.interrupt, run.report.attributed(read(&stack.clients, &sources, since))).await;
        let Ok(entries) = entries else { break };
        let Some(entries) = entries? else {
            return Err(
                CommandError::new(format!("{} has no logs", stack.name())).hint("deploy it: `peersync-deploy up`")
            );
        };
        for entry in entries.into_iter().filter(|entry| shown.is_new(&entry.id)) {
            if printer.print(&entry).is_err() {
                // The reader has gone away: nobody is left to read on for.
                return Ok(Exit::Done);
            }
        }
        since = SystemTime::now().checked_sub(OVERLAP).unwrap_or(UNIX_EPOCH);
        if !args.follow || until_stopped(&run.interrupt, tokio::time::sleep(INTERVAL)).await.is_err() {
            break;
        }
    }
    run.report.event(&json!({ "event": "result", "command": "logs", "status": "done", "lines": shown.count }));
    Ok(Exit::Done)
}

fn sources(stack: &Stack, component: Option<Component>) -> Vec<Source> {
    let functions = FUNCTIONS.map(|function| Source { component: function, group: stack.function_log_group(function) });
    let others = ["signal", "api-access"].map(|part| Source { component: part, group: stack.log_group(part) });
    let chosen = component.map(name);
    functions.into_iter().chain(others).filter(|source| chosen.is_none_or(|name| name == source.component)).collect()
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

/// All events since a moment, in the order of time; `None` where no group is there.
async fn read(clients: &Clients, sources: &[Source], since: SystemTime) -> Result<Option<Vec<Entry>>, ResourceError> {
    let since = since.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    let groups = try_join_all(sources.iter().map(|source| read_group(clients, source, since))).await?;
    if groups.iter().all(Option::is_none) {
        return Ok(None);
    }
    let mut entries: Vec<Entry> = groups.into_iter().flatten().flatten().collect();
    entries.sort_by_key(|entry| entry.time);
    Ok(Some(entries))
}

async fn read_group(clients: &Clients, source: &Source, since: i64) -> Result<Option<Vec<Entry>>, ResourceError> {
    let call = clients.logs.filter_log_events().log_group_name(&source.group).start_time(since);
    let mut pages = call.into_paginator().send();
    let mut entries = Vec::new();
    while let Some(page) = pages.next().await {
        let Some(page) = page.found(&["ResourceNotFoundException"], "failed to read a log group")? else {
            return Ok(None);
        };
        entries.extend(page.events.unwrap_or_default().into_iter().map(|event| {
            Entry {
                id: event
                    .event_id
                    .unwrap_or_else(|| format!("{:?}{:?}{:?}", event.log_stream_name, event.timestamp, event.message)),
                time: event.timestamp.unwrap_or_default(),
                component: source.component,
                message: event.message.unwrap_or_default(),
            }
        }));
    }
    Ok(Some(entries))
}

/// Which events were shown, as far back as one look overlaps the last.
#[derive(Default)]
struct Shown {
    ids: HashSet<String>,
    order: VecDeque<String>,
    count: u64,
}

impl Shown {
    fn is_new(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.count += 1;
        self.order.push_back(id.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
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

/// Logs hold what strangers sent: no control character of theirs reaches the terminal.
fn printable(message: &str) -> String {
    let safe = |character: char| {
        if character.is_control() && !matches!(character, '\n' | '\t') { '\u{fffd}' } else { character }
    };
    message.chars().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_shown_once() {
        let mut shown = Shown::default();
        assert_eq!(["a", "b", "a"].map(|id| shown.is_new(id)), [true, true, false]);
        for number in 0..REMEMBERED {
            shown.is_new(&number.to_string());
        }
        assert_eq!(shown.order.len(), shown.ids.len());
        assert!(shown.ids.len() <= REMEMBERED, "what is remembered is bounded");
    }

    #[test]
    fn control_characters_of_strangers_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\tc"), "a\u{fffd}[2Jb\tc");
    }
}
