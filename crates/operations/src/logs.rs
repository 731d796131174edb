//! What a stack's components have written to CloudWatch Logs, merged by time.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::try_join_all;

use peersync_aws::{Clients, NotFound as _};
use peersync_engine::ResourceError;
use peersync_resources::stack::{FUNCTIONS, Stack};

/// How far each read but the first goes back: CloudWatch shows events up to some seconds late.
const OVERLAP: Duration = Duration::from_secs(30);
/// The number of events that are remembered as shown, more than a group produces within the overlap.
const REMEMBERED: usize = 20_000;

/// A log group and the component that writes it.
struct Source {
    component: &'static str,
    group: String,
}

/// One line of a log.
#[derive(Clone, Debug)]
pub struct Entry {
    id: String,
    /// The time in milliseconds since 1970.
    pub time: i64,
    /// The component that wrote it, such as `login` or `signal`.
    pub component: &'static str,
    /// The message as it came. It may contain a stranger's input, so it must be shown through [`printable`].
    pub message: String,
}

/// The logs of a stack, which are read repeatedly; each event is returned once.
pub struct Tail {
    clients: Clients,
    sources: Vec<Source>,
    since: SystemTime,
    shown: Shown,
}

impl Tail {
    /// Creates a tail of the logs of all components, or of one, from a given time on.
    pub fn new(stack: &Stack, component: Option<&str>, since: SystemTime) -> Self {
        let functions =
            FUNCTIONS.map(|function| Source { component: function, group: stack.function_log_group(function) });
        let others = ["signal", "api-access"].map(|part| Source { component: part, group: stack.log_group(part) });
        let chosen = |source: &Source| component.is_none_or(|name| name == source.component);
        let sources = functions.into_iter().chain(others).filter(chosen).collect();
        Self { clients: stack.clients.clone(), sources, since, shown: Shown::default() }
    }

    /// Returns the events that are new since the last call, sorted by time, or `None` if no log group exists.
    ///
    /// # Errors
    /// Fails if a log group cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<Entry>>, ResourceError> {
        let now = SystemTime::now();
        let Some(entries) = read(&self.clients, &self.sources, self.since).await? else { return Ok(None) };
        self.since = now.checked_sub(OVERLAP).unwrap_or(UNIX_EPOCH);
        Ok(Some(entries.into_iter().filter(|entry| self.shown.is_new(&entry.id)).collect()))
    }
}

/// Replaces the control characters of a message, which a stranger could send to the terminal.
pub fn printable(message: &str) -> String {
    let safe = |character: char| {
        if character.is_control() && !matches!(character, '\n' | '\t') { '\u{fffd}' } else { character }
    };
    message.chars().map(safe).collect()
}

/// Returns all events since a given time, sorted by time, or `None` if no log group exists.
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

/// The events that were shown, as far back as one read overlaps the previous one.
#[derive(Default)]
struct Shown {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Shown {
    fn is_new(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_is_shown_once() {
        let mut shown = Shown::default();
        assert_eq!(["a", "b", "a"].map(|id| shown.is_new(id)), [true, true, false]);
        for number in 0..REMEMBERED {
            shown.is_new(&number.to_string());
        }
        assert_eq!(shown.order.len(), shown.ids.len());
        assert!(shown.ids.len() <= REMEMBERED, "the number of remembered events is bounded");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\tc"), "a\u{fffd}[2Jb\tc");
    }
}
