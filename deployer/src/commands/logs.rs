//! The command `logs`: prints the log entries of the stack's components, merged by time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::run::Run;
use super::{CommandError, Context, Exit};
use crate::cli::{Component, LogsArgs};
use crate::report::{Sink, Style};
use peersync_operations::logs::{Entry, Tail, printable};
use peersync_operations::until_stopped;

/// How far back the first read goes, unless the user says so.
const WINDOW: Duration = Duration::from_secs(3600);
/// The components in the order of their colours.
const COMPONENTS: [&str; 9] =
    ["signal", "login", "relay", "friends", "install", "rooms", "tunnel", "signup", "api-access"];
/// How long `-f` waits between reads.
const INTERVAL: Duration = Duration::from_secs(2);

/// Runs the command.
///
/// # Errors
/// Fails if AWS denies access or no log group exists.
pub async fn run(context: &Context, args: &LogsArgs) -> Result<Exit, CommandError> {
    let run = Run::new(context);
    let stack = run.stack(context).await?;
    let mut tail = Tail::new(&stack, args.component.map(name), since(args, SystemTime::now()));
    if args.follow {
        tail = tail.followed();
    }
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
        let Ok(printed) = printer.print(&entries) else { return Ok(Exit::Done) };
        lines += printed;
        if !args.follow || until_stopped(&run.interrupt, tokio::time::sleep(INTERVAL)).await.is_err() {
            break;
        }
    }
    lines += printer.print(&tail.rest()).unwrap_or_default();
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
        Component::Install => "install",
        Component::Relay => "relay",
        Component::Tunnel => "tunnel",
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
    /// Prints entries, and returns their number.
    ///
    /// # Errors
    /// The reader of the output has gone away.
    fn print(&self, entries: &[Entry]) -> std::io::Result<u64> {
        for entry in entries {
            let line = if self.json { event(entry) } else { line(entry, self.style) };
            self.sink.try_line(&line)?;
        }
        Ok(u64::try_from(entries.len()).unwrap_or(u64::MAX))
    }
}

fn event(entry: &Entry) -> String {
    let (time, message) = (moment(entry.time), entry.message.trim_end());
    json!({ "event": "log", "time": time, "component": entry.component, "message": message }).to_string()
}

/// Returns an entry for people: each component has its colour, and so have errors, warnings and what Lambda says of itself.
fn line(entry: &Entry, style: Style) -> String {
    let number = COMPONENTS.iter().position(|component| *component == entry.component).unwrap_or_default();
    let component = style.distinct(number, &format!("{:10}", entry.component));
    let message = printable(entry.message.trim_end());
    let message = match weight(&message) {
        Weight::Error => style.red(&message),
        Weight::Warning => style.yellow(&message),
        Weight::Detail => style.dim(&message),
        Weight::Normal => message,
    };
    format!("{} {component} {message}", style.dim(&moment(entry.time)))
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Error,
    Warning,
    Normal,
    Detail,
}

/// Returns how much a line matters: by its level if a program of ours wrote it, else by how it begins.
fn weight(message: &str) -> Weight {
    /// What Lambda writes around each request.
    const AROUND: [&str; 4] = ["INIT_START ", "START RequestId", "END RequestId", "REPORT RequestId"];
    let level = serde_json::from_str::<Value>(message).ok();
    match level.as_ref().and_then(|line| line.get("level")?.as_str()) {
        Some("ERROR") => Weight::Error,
        Some("WARN") => Weight::Warning,
        Some(_) => Weight::Normal,
        None if message.starts_with("peersync: failed") => Weight::Warning,
        None if AROUND.iter().any(|beginning| message.starts_with(beginning)) => Weight::Detail,
        None => Weight::Normal,
    }
}

/// Returns from when on entries are read.
fn since(args: &LogsArgs, now: SystemTime) -> SystemTime {
    let back = match (args.since, args.component) {
        (Some(span), _) => Some(span.0),
        // A host has been installed once, maybe long ago.
        (None, Some(Component::Install)) => None,
        (None, _) => Some(WINDOW),
    };
    back.and_then(|back| now.checked_sub(back)).unwrap_or(UNIX_EPOCH)
}

fn moment(milliseconds: i64) -> String {
    let since = Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default());
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;
    use peersync_config::Span;

    fn entry(component: &'static str, message: &str) -> Entry {
        Entry::new("1", 1_795_996_799_123, component, message)
    }

    #[test]
    fn every_component_has_a_colour_of_its_own() {
        let colours: Vec<String> =
            COMPONENTS.iter().map(|name| line(&entry(name, "a line"), Style::COLORED).replace(name, "")).collect();
        for (number, colour) in colours.iter().enumerate() {
            assert_eq!(colours.iter().position(|other| other.trim() == colour.trim()), Some(number), "{colour:?}");
        }
        let names = Component::value_variants().iter().map(|component| name(*component));
        assert!(names.clone().all(|name| COMPONENTS.contains(&name)) && names.count() == COMPONENTS.len());
    }

    #[test]
    fn errors_stand_out_and_nothing_is_coloured_without_colours() {
        let lines = [
            entry("login", r#"{"level":"ERROR","message":"mail failed"}"#),
            entry("signal", r#"{"level":"WARN","message":"slow"}"#),
            entry("install", "peersync: failed: the relay program (attempt 1)"),
            entry("install", "peersync: ready"),
            entry("api-access", r#"{"status":"200","path":"/api/me"}"#),
            entry("rooms", "REPORT RequestId: 1 Duration: 2 ms"),
            entry("relay", "\u{1b}[2J not for the terminal\n"),
        ];
        let shown = |style| lines.iter().map(|entry| line(entry, style)).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(shown(Style::PLAIN));
        insta::assert_snapshot!(shown(Style::COLORED).replace('\u{1b}', "ESC"));
    }

    #[test]
    fn installation_is_shown_from_its_first_line_on() {
        let now = UNIX_EPOCH + Duration::from_secs(1_795_996_799);
        let of = |component, since| LogsArgs { component, since, follow: false };
        assert_eq!(since(&of(None, None), now), now - WINDOW);
        assert_eq!(since(&of(Some(Component::Relay), None), now), now - WINDOW);
        assert_eq!(since(&of(Some(Component::Install), None), now), UNIX_EPOCH);
        let minute = Duration::from_secs(60);
        assert_eq!(since(&of(Some(Component::Install), Some(Span(minute))), now), now - minute);
        assert_eq!(since(&of(None, Some(Span(Duration::MAX))), now), UNIX_EPOCH);
    }
}
