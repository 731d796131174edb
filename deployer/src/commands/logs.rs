//! The command `logs`: prints the log entries of the stack's components, merged by time.

mod numbers;

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
    let mut printer = Printer::new(context.json(), args.metrics, run.report.style());
    loop {
        let entries = until_stopped(&run.interrupt, run.report.attributed(tail.next())).await;
        let Ok(entries) = entries else { break };
        let Some(entries) = entries? else {
            return Err(
                CommandError::new(format!("{} has no logs", stack.name())).hint("deploy it: `peersync-deploy up`")
            );
        };
        if printer.print(&entries).is_err() {
            return Ok(Exit::Done);
        }
        if !args.follow || until_stopped(&run.interrupt, tokio::time::sleep(INTERVAL)).await.is_err() {
            break;
        }
    }
    let _ = printer.print(&tail.rest());
    if !context.json() && printer.lines == 0 && !args.follow {
        run.report.note(&nothing(args, printer.left_out));
    }
    run.report.event(&json!({ "event": "result", "command": "logs", "status": "done", "lines": printer.lines }));
    Ok(Exit::Done)
}

/// Returns what is said if no line was shown.
fn nothing(args: &LogsArgs, left_out: u64) -> String {
    let component = args.component.map(|component| format!(" {}", name(component))).unwrap_or_default();
    match (left_out, args.since.is_some() || args.component == Some(Component::Install)) {
        (0, true) => "No lines were found.".to_owned(),
        (0, false) => {
            format!("No lines in the last hour. Look further back with `peersync-deploy logs{component} --since 24h`.")
        }
        (count, _) => {
            format!("Only lines with metrics, {count}. Show them with `peersync-deploy logs{component} --metrics`.")
        }
    }
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
    /// Whether people see the lines with metrics.
    metrics: bool,
    style: Style,
    sink: Sink,
    /// The number of lines that were written.
    lines: u64,
    /// The number of lines with metrics that were not.
    left_out: u64,
}

impl Printer {
    fn new(json: bool, metrics: bool, style: Style) -> Self {
        Self { json, metrics, style, sink: Sink::stdout(), lines: 0, left_out: 0 }
    }

    /// Prints entries.
    ///
    /// # Errors
    /// The reader of the output has gone away.
    fn print(&mut self, entries: &[Entry]) -> std::io::Result<()> {
        for entry in entries {
            match self.line(entry) {
                Some(line) => {
                    self.sink.try_line(&line)?;
                    self.lines += 1;
                }
                None => self.left_out += 1,
            }
        }
        Ok(())
    }

    /// Returns the line of an entry, or `None` if it is not shown.
    fn line(&self, entry: &Entry) -> Option<String> {
        if self.json {
            return Some(event(entry));
        }
        let is_shown = self.metrics || numbers::of(&entry.message).is_none();
        is_shown.then(|| line(entry, self.style))
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
    let numbers = numbers::of(&entry.message);
    let weight = if numbers.is_some() { Weight::Detail } else { weight(&entry.message) };
    let message = printable(numbers.as_deref().unwrap_or(&entry.message).trim_end());
    let message = match weight {
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
    use peersync_server::metrics::{self, Metric};

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
    fn metrics_are_left_out_unless_they_are_asked_for() {
        let measured = [(Metric::CallsStarted, vec![2.0]), (Metric::RingToAnswer, vec![3.5, 8.0])];
        let metrics = metrics::line("peersync-dev", &measured, 1_795_996_799).unwrap();
        let lines = [entry("signal", &metrics), entry("signal", r#"{"level":"INFO","message":"listening"}"#)];
        let shown = |json, metrics, style| {
            let printer = Printer::new(json, metrics, style);
            lines.iter().filter_map(|entry| printer.line(entry)).collect::<Vec<_>>()
        };
        assert_eq!(shown(false, false, Style::PLAIN).len(), 1);
        assert_eq!(shown(true, false, Style::PLAIN).len(), 2, "programs get every line as it is");
        insta::assert_snapshot!(shown(false, true, Style::PLAIN).join("\n"), @r#"
        2026-11-29T23:59:59.123Z signal     metrics: CallsStarted 2, RingToAnswer 3.5 8
        2026-11-29T23:59:59.123Z signal     {"level":"INFO","message":"listening"}
        "#);
        assert_eq!(shown(false, true, Style::COLORED)[0].matches('\u{1b}').count(), 6, "they are dim");
    }

    #[test]
    fn person_is_told_why_nothing_is_shown() {
        let of = |component, since| LogsArgs { component, since, ..LogsArgs::default() };
        let said = [
            nothing(&of(None, None), 0),
            nothing(&of(Some(Component::Relay), None), 0),
            nothing(&of(Some(Component::Install), None), 0),
            nothing(&of(None, Some(Span(Duration::from_secs(60)))), 0),
            nothing(&of(Some(Component::Relay), None), 60),
        ];
        insta::assert_snapshot!(said.join("\n"), @r"
        No lines in the last hour. Look further back with `peersync-deploy logs --since 24h`.
        No lines in the last hour. Look further back with `peersync-deploy logs relay --since 24h`.
        No lines were found.
        No lines were found.
        Only lines with metrics, 60. Show them with `peersync-deploy logs relay --metrics`.
        ");
    }

    #[test]
    fn installation_is_shown_from_its_first_line_on() {
        let now = UNIX_EPOCH + Duration::from_secs(1_795_996_799);
        let of = |component, since| LogsArgs { component, since, ..LogsArgs::default() };
        assert_eq!(since(&of(None, None), now), now - WINDOW);
        assert_eq!(since(&of(Some(Component::Relay), None), now), now - WINDOW);
        assert_eq!(since(&of(Some(Component::Install), None), now), UNIX_EPOCH);
        let minute = Duration::from_secs(60);
        assert_eq!(since(&of(Some(Component::Install), Some(Span(minute))), now), now - minute);
        assert_eq!(since(&of(None, Some(Span(Duration::MAX))), now), UNIX_EPOCH);
    }
}
