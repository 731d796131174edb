//! Progress as lines that stay, for pipes, files, CI and dumb terminals.

use parking_lot::Mutex;
use peersync_engine::text;
use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::sink::Sink;
use super::style::Style;
use super::words;
use peersync_engine::{Action, Address, Event, Reporter};

/// How long a step runs before it is mentioned again, and the interval from then on.
const STILL: Duration = Duration::from_secs(10);
/// How often the thread checks for such steps.
const TICK: Duration = Duration::from_millis(500);

/// A reporter that writes one line for each event worth one.
pub struct Plain {
    sink: Sink,
    style: Style,
    running: Mutex<BTreeMap<Address, Running>>,
    /// Ends the thread that mentions long-running steps when the reporter is dropped.
    ticker: Mutex<Option<Sender<()>>>,
}

/// A step in flight.
struct Running {
    action: Action,
    since: Instant,
    /// When the step is mentioned next.
    next: Instant,
    /// What the step waits for.
    waiting: Option<String>,
}

impl Plain {
    /// Creates a reporter that writes to this sink, with a thread that mentions long-running steps until it is dropped.
    pub fn new(sink: Sink, style: Style) -> Arc<Self> {
        let plain = Arc::new(Self { sink, style, running: Mutex::default(), ticker: Mutex::default() });
        let (sender, receiver) = channel::<()>();
        let weak: Weak<Self> = Arc::downgrade(&plain);
        std::thread::spawn(move || {
            while receiver.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                let Some(plain) = weak.upgrade() else { break };
                plain.mention(Instant::now());
            }
        });
        *plain.ticker.lock() = Some(sender);
        plain
    }

    /// Mentions the steps that have been running for long.
    fn mention(&self, now: Instant) {
        let mut running = self.running.lock();
        for (address, work) in running.iter_mut().filter(|(_, work)| work.next <= now) {
            work.next = now + STILL;
            let time = words::elapsed(now.duration_since(work.since));
            let waiting = work.waiting.as_ref().map(|reason| format!(", waiting for {reason}")).unwrap_or_default();
            self.sink.line(&format!("{address}: still {}… [{time} elapsed]{waiting}", words::doing(work.action)));
        }
    }

    fn started(&self, address: &Address, action: Action, now: Instant) {
        let work = Running { action, since: now, next: now + STILL, waiting: None };
        self.running.lock().insert(address.clone(), work);
    }

    fn waiting(&self, address: &Address, reason: &str) {
        let mut running = self.running.lock();
        if let Some(work) = running.get_mut(address) {
            work.waiting = Some(reason.to_owned());
        }
    }

    fn ended(&self, address: &Address) {
        self.running.lock().remove(address);
    }
}

impl Reporter for Plain {
    fn event(&self, event: &Event) {
        match event {
            Event::Started { address, action } => self.started(address, *action, Instant::now()),
            Event::Waiting { address: Some(address), reason } => self.waiting(address, reason),
            Event::Finished { address, .. } | Event::Failed { address, .. } => self.ended(address),
            _ => {}
        }
        if let Some(line) = line(event, self.style) {
            self.sink.line(&line);
        }
    }
}

/// Returns the line for an event, if it is worth one. The live display prints the same lines above the moving ones.
pub(super) fn line(event: &Event, style: Style) -> Option<String> {
    match event {
        Event::Waiting { address, reason } => Some(style.dim(&format!("{}waiting for {reason}", prefix(address)))),
        Event::Retrying { address, attempt, reason, delay } => {
            let who = prefix(address);
            let after = if delay.is_zero() { String::new() } else { format!(" in {}", words::elapsed(*delay)) };
            Some(style.yellow(&format!("{who}retry {attempt}{after}: {reason}")))
        }
        Event::Noted { address, text } => Some(format!("{}{text}", prefix(address))),
        Event::Finished { address, action, elapsed } => {
            let done = style.of_action(*action, words::done(*action));
            Some(format!("{address}: {done} in {}", words::elapsed(*elapsed)))
        }
        Event::Failed { address, action, error } => {
            Some(style.red(&format!("{address}: {} failed: {error}", words::doing(*action))))
        }
        Event::Skipped { address, because } => Some(style.dim(&format!("{address}: skipped because {because} failed"))),
        Event::Interrupted { remaining } => {
            Some(style.yellow(&format!("stopped: {} left", text::count(*remaining, "step"))))
        }
        Event::ObserveStarted { .. } | Event::Observed { .. } | Event::Started { .. } => None,
    }
}

/// The resource that a line is about, if it is about one.
fn prefix(address: &Option<Address>) -> String {
    address.as_ref().map(|address| format!("{address}: ")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::sink::tests::Written;
    use super::*;
    use peersync_engine::ResourceError;

    fn plain(written: &Written) -> Plain {
        Plain { sink: written.sink(), style: Style::PLAIN, running: Mutex::default(), ticker: Mutex::default() }
    }

    #[test]
    fn events_worth_a_line_are_printed() {
        let written = Written::default();
        let plain = plain(&written);
        let table = Address::new("table", "Users");
        let role = Address::new("role", "signup");
        for event in [
            Event::ObserveStarted { total: 2 },
            Event::Observed { address: table.clone() },
            Event::Started { address: table.clone(), action: Action::Create },
            Event::Waiting { address: Some(table.clone()), reason: "the table to become active".to_owned() },
            Event::Retrying {
                address: Some(table.clone()),
                attempt: 2,
                reason: "HTTP status 503".to_owned(),
                delay: Duration::from_millis(400),
            },
            Event::Noted { address: Some(role.clone()), text: "the former one was not told".to_owned() },
            Event::Finished { address: table.clone(), action: Action::Create, elapsed: Duration::from_millis(2_340) },
            Event::Started { address: role.clone(), action: Action::Update },
            Event::Failed {
                address: role.clone(),
                action: Action::Update,
                error: Arc::new(ResourceError::new("failed to change the role")),
            },
            Event::Skipped { address: Address::new("function", "signup"), because: role },
            Event::Retrying { address: None, attempt: 1, reason: "no answer".to_owned(), delay: Duration::ZERO },
            Event::Interrupted { remaining: 3 },
        ] {
            plain.event(&event);
        }
        insta::assert_snapshot!(written.text());
    }

    #[test]
    fn long_steps_are_mentioned_every_ten_seconds() {
        let written = Written::default();
        let plain = plain(&written);
        let host = Address::new("instance", "signal");
        let begin = Instant::now();
        plain.started(&host, Action::Create, begin);
        plain.mention(begin + Duration::from_secs(9));
        assert_eq!(written.text(), "", "nothing is printed before ten seconds");
        plain.mention(begin + Duration::from_secs(10));
        plain.mention(begin + Duration::from_secs(15));
        plain.waiting(&host, "the instance to run");
        plain.mention(begin + Duration::from_secs(20));
        plain.ended(&host);
        plain.mention(begin + Duration::from_secs(40));
        insta::assert_snapshot!(written.text(), @r"
        instance.signal: still creating… [10 s elapsed]
        instance.signal: still creating… [20 s elapsed], waiting for the instance to run
        ");
    }
}
