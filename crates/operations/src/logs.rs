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

/// How long a line that is followed may wait for earlier ones of other components, which CloudWatch shows later.
const SETTLING: Duration = Duration::from_secs(3);

/// The component whose log group has the parts of the host too.
const HOST: &str = "signal";
/// The parts of the host beside the signaling server, by the ends of the names of their streams.
const PARTS: [(&str, &str); 3] = [("-install", "install"), ("-relay", "relay"), ("-tunnel", "tunnel")];

/// A log group, and what of it is read.
struct Source {
    /// The component that writes it.
    component: &'static str,
    group: String,
    /// The only part of the host that is asked for.
    part: Option<&'static str>,
}

impl Source {
    /// Returns the component that writes a stream.
    fn component_of(&self, stream: Option<&str>) -> &'static str {
        let is_of = |end: &str| self.component == HOST && stream.is_some_and(|stream| stream.ends_with(end));
        PARTS.iter().find(|(end, _)| is_of(end)).map_or(self.component, |(_, part)| part)
    }
}

/// One line of a log.
#[derive(Clone, Debug)]
pub struct Entry {
    id: String,
    /// The time in milliseconds since 1970.
    pub time: i64,
    /// The component that wrote it, such as `login`, `install` or `relay`.
    pub component: &'static str,
    /// The message as it came. It may contain a stranger's input, so it must be shown through [`printable`].
    pub message: String,
}

impl Entry {
    /// Creates an entry.
    pub fn new(id: impl Into<String>, time: i64, component: &'static str, message: impl Into<String>) -> Self {
        Self { id: id.into(), time, component, message: message.into() }
    }
}

/// The logs of a stack, which are read repeatedly; each event is returned once.
pub struct Tail {
    clients: Clients,
    sources: Vec<Source>,
    since: SystemTime,
    shown: Shown,
    settling: Option<Duration>,
    waiting: Vec<Entry>,
}

impl Tail {
    /// Creates a tail of the logs of all components, or of one, from a given time on. `signal` is the host with all of its
    /// parts.
    pub fn new(stack: &Stack, component: Option<&str>, since: SystemTime) -> Self {
        let source = |component, group| Source { component, group, part: None };
        let functions = FUNCTIONS.map(|function| source(function, stack.function_log_group(function)));
        let others = [HOST, "api-access"].map(|part| source(part, stack.log_group(part)));
        let part = PARTS.iter().map(|(_, part)| *part).find(|part| Some(*part) == component);
        let chosen = |source: &Source| match part {
            Some(_) => source.component == HOST,
            None => component.is_none_or(|name| name == source.component),
        };
        let sources = functions.into_iter().chain(others).filter(chosen).map(|source| Source { part, ..source });
        let (sources, shown) = (sources.collect(), Shown::default());
        Self { clients: stack.clients.clone(), sources, since, shown, settling: None, waiting: Vec::new() }
    }

    /// Returns the same tail for somebody who waits for further lines: the newest ones are held back for some seconds, until
    /// earlier ones have come.
    #[must_use]
    pub fn followed(self) -> Self {
        Self { settling: Some(SETTLING), ..self }
    }

    /// Returns the events that are new since the last call, sorted by time, or `None` if no log group exists.
    ///
    /// # Errors
    /// Fails if a log group cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<Entry>>, ResourceError> {
        let now = SystemTime::now();
        let Some(entries) = read(&self.clients, &self.sources, self.since).await? else { return Ok(None) };
        self.since = now.checked_sub(OVERLAP).unwrap_or(UNIX_EPOCH);
        self.waiting.extend(entries.into_iter().filter(|entry| self.shown.is_new(&entry.id)));
        let until = self.settling.map(|settling| milliseconds(now.checked_sub(settling).unwrap_or(UNIX_EPOCH)));
        Ok(Some(taken(&mut self.waiting, until)))
    }

    /// Returns the events that were held back.
    pub fn rest(&mut self) -> Vec<Entry> {
        taken(&mut self.waiting, None)
    }
}

/// Takes the entries until this time, or all, sorted by time. Those of one moment stay in their order.
fn taken(waiting: &mut Vec<Entry>, until: Option<i64>) -> Vec<Entry> {
    waiting.sort_by_key(|entry| entry.time);
    let settled = waiting.partition_point(|entry| until.is_none_or(|until| entry.time <= until));
    waiting.drain(..settled).collect()
}

fn milliseconds(moment: SystemTime) -> i64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    i64::try_from(since).unwrap_or(i64::MAX)
}

/// Replaces the control characters of a message, which a stranger could send to the terminal.
pub fn printable(message: &str) -> String {
    let safe = |character: char| {
        if character.is_control() && !matches!(character, '\n' | '\t') { '\u{fffd}' } else { character }
    };
    message.chars().map(safe).collect()
}

/// Returns all events since a given time, or `None` if no log group exists.
async fn read(clients: &Clients, sources: &[Source], since: SystemTime) -> Result<Option<Vec<Entry>>, ResourceError> {
    let since = milliseconds(since);
    let groups = try_join_all(sources.iter().map(|source| read_group(clients, source, since))).await?;
    if groups.iter().all(Option::is_none) {
        return Ok(None);
    }
    Ok(Some(groups.into_iter().flatten().flatten().collect()))
}

async fn read_group(clients: &Clients, source: &Source, since: i64) -> Result<Option<Vec<Entry>>, ResourceError> {
    let call = clients.logs.filter_log_events().log_group_name(&source.group).start_time(since);
    let mut pages = call.into_paginator().send();
    let mut entries = Vec::new();
    while let Some(page) = pages.next().await {
        let Some(page) = page.found(&["ResourceNotFoundException"], "failed to read a log group")? else {
            return Ok(None);
        };
        let events = page.events.unwrap_or_default().into_iter().map(|event| {
            let component = source.component_of(event.log_stream_name.as_deref());
            let id = event
                .event_id
                .unwrap_or_else(|| format!("{:?}{:?}{:?}", event.log_stream_name, event.timestamp, event.message));
            Entry::new(id, event.timestamp.unwrap_or_default(), component, event.message.unwrap_or_default())
        });
        entries.extend(events.filter(|entry| source.part.is_none_or(|part| part == entry.component)));
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

    fn entry(time: i64, message: &str) -> Entry {
        Entry::new(message, time, "login", message)
    }

    fn messages(entries: Vec<Entry>) -> Vec<String> {
        entries.into_iter().map(|entry| entry.message).collect()
    }

    #[test]
    fn line_that_comes_late_is_shown_in_its_place_if_later_ones_still_wait() {
        let mut waiting = vec![entry(10, "first"), entry(30, "third"), entry(30, "fourth")];
        assert_eq!(messages(taken(&mut waiting, Some(20))), ["first"]);
        waiting.push(entry(25, "second"));
        assert_eq!(messages(taken(&mut waiting, Some(24))), Vec::<String>::new());
        assert_eq!(messages(taken(&mut waiting, None)), ["second", "third", "fourth"]);
        assert!(waiting.is_empty());
    }

    #[test]
    fn parts_of_the_host_are_told_apart_by_their_streams() {
        let source = |component| Source { component, group: String::new(), part: None };
        for (stream, component) in
            [("i-1-install", "install"), ("i-1", "signal"), ("i-1-relay", "relay"), ("i-1-tunnel", "tunnel")]
        {
            assert_eq!(source(HOST).component_of(Some(stream)), component);
        }
        assert_eq!(source("login").component_of(Some("2026/11/29/[$LATEST]a-relay")), "login");
    }

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
