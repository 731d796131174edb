//! Reads from the log of the host how many people and calls there are. The signaling server writes that when it changes, and
//! every ten minutes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use peersync_aws::NotFound as _;
use peersync_engine::ResourceError;
use peersync_resources::stack::Stack;

/// How far back the numbers are looked for, longer than they are repeated.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// The lines that have them.
const PATTERN: &str = r#"{ $.message = "occupancy" }"#;
const MESSAGE: &str = "occupancy";

/// How many people and calls there are on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupancy {
    /// When the signaling server has said so.
    pub at: SystemTime,
    /// Signed-in people.
    pub users: u64,
    /// Sessions: each page that is open, guests included.
    pub sessions: u64,
    /// Rooms with somebody in them.
    pub rooms: u64,
    /// Rooms with several people in them.
    pub calls: u64,
}

/// Reads the latest numbers; `None` if there are none of the last quarter of an hour.
///
/// # Errors
/// The log cannot be read.
pub async fn occupancy(stack: &Stack) -> Result<Option<Occupancy>, ResourceError> {
    let since = stack.now.checked_sub(WINDOW).unwrap_or(UNIX_EPOCH).duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    let call = stack.clients.logs.filter_log_events().log_group_name(stack.log_group("signal"));
    let mut pages = call.filter_pattern(PATTERN).start_time(since).into_paginator().send();
    let mut latest: Option<(i64, Occupancy)> = None;
    while let Some(page) = pages.next().await {
        let page = match page.found(&["ResourceNotFoundException"], "failed to read the log of the host") {
            Err(error) if stack.clients.lack(&error) => return Ok(None),
            page => page?,
        };
        let Some(page) = page else { return Ok(None) };
        let read = page.events.unwrap_or_default().into_iter().filter_map(|event| {
            let time = event.timestamp?;
            Some((time, parsed(time, event.message.as_deref()?)?))
        });
        latest = read.chain(latest).max_by_key(|(time, _)| *time);
    }
    Ok(latest.map(|(_, occupancy)| occupancy))
}

fn parsed(time: i64, line: &str) -> Option<Occupancy> {
    let line: Value = serde_json::from_str(line).ok()?;
    let number = |field: &str| line.get(field)?.as_u64();
    // An emulator may not filter.
    let is_it = line.get("message")?.as_str() == Some(MESSAGE);
    is_it.then_some(())?;
    let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(time).ok()?);
    let (users, sessions) = (number("users")?, number("sessions")?);
    Some(Occupancy { at, users, sessions, rooms: number("rooms")?, calls: number("calls")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_with_the_numbers_are_read() {
        let line =
            r#"{"level":"INFO","message":"occupancy","users":3,"sessions":5,"rooms":2,"calls":1,"target":"signal"}"#;
        let expected = Occupancy { at: UNIX_EPOCH + Duration::from_secs(2), users: 3, sessions: 5, rooms: 2, calls: 1 };
        assert_eq!(parsed(2_000, line), Some(expected));
        for other in ["", "occupancy", r#"{"message":"occupancy"}"#, r#"{"message":"listening","users":3}"#] {
            assert_eq!(parsed(2_000, other), None, "{other}");
        }
    }
}
