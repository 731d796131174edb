//! Progress that moves: one line for each step in flight, below the lines of the steps that have ended.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::plain;
use super::style::Style;
use super::words;
use peersync_engine::{Action, Address, Event, Reporter};

/// How long the spinners show each frame.
const FRAME: Duration = Duration::from_millis(100);

/// A reporter that draws on a terminal.
pub struct Live {
    screen: MultiProgress,
    style: Style,
    bars: Mutex<Bars>,
}

/// What is drawn at the moment.
#[derive(Default)]
struct Bars {
    /// The bottom line, which shows the overall progress.
    total: Option<ProgressBar>,
    in_flight: BTreeMap<Address, (Action, ProgressBar)>,
    /// The number of steps in the plan.
    steps: u64,
}

impl Live {
    /// Creates a reporter that draws on standard error.
    pub fn new(style: Style) -> Self {
        Self { screen: MultiProgress::new(), style, bars: Mutex::default() }
    }

    /// Prints a line above the moving ones.
    pub fn line(&self, text: &str) {
        // If the terminal is gone, nobody is left to notify.
        let _ = self.screen.println(text);
    }

    /// Sets the number of steps to come.
    pub fn expect(&self, steps: usize) {
        let mut bars = self.bars.lock();
        bars.steps = u64::try_from(steps).unwrap_or(u64::MAX);
    }

    /// Removes all moving lines from the screen.
    pub fn clear(&self) {
        let mut bars = self.bars.lock();
        for (_, bar) in std::mem::take(&mut bars.in_flight).into_values() {
            bar.finish_and_clear();
        }
        if let Some(total) = bars.total.take() {
            total.finish_and_clear();
        }
    }

    /// Shows something that is waited for and belongs to no resource. It is shown until the returned bar is cleared.
    pub fn busy(&self, text: &str) -> ProgressBar {
        let bar = ProgressBar::new_spinner().with_style(spinner_style()).with_prefix(text.to_owned());
        let bar = self.screen.add(bar);
        bar.enable_steady_tick(FRAME);
        bar
    }

    fn total(&self, bars: &mut Bars, length: u64, message: &'static str) {
        let new = || ProgressBar::new(length).with_style(total_style()).with_message(message);
        let bar = bars.total.get_or_insert_with(|| self.screen.add(new()));
        bar.set_length(length);
        bar.set_position(0);
        bar.set_message(message);
        bar.enable_steady_tick(FRAME);
    }

    fn started(&self, address: &Address, action: Action) {
        let mut bars = self.bars.lock();
        if bars.total.is_none() {
            let steps = bars.steps;
            self.total(&mut bars, steps, "applying");
        }
        let bar = ProgressBar::new_spinner().with_style(spinner_style()).with_prefix(address.to_string());
        let bar = bar.with_message(words::doing(action));
        let bar = match &bars.total {
            Some(total) => self.screen.insert_before(total, bar),
            None => self.screen.add(bar),
        };
        bar.enable_steady_tick(FRAME);
        if let Some((_, old)) = bars.in_flight.insert(address.clone(), (action, bar)) {
            old.finish_and_clear();
        }
    }

    fn set_detail(&self, address: &Address, text: &str) {
        let bars = self.bars.lock();
        if let Some((action, bar)) = bars.in_flight.get(address) {
            bar.set_message(format!("{}, {text}", words::doing(*action)));
        }
    }

    fn ended(&self, address: &Address) {
        let mut bars = self.bars.lock();
        if let Some((_, bar)) = bars.in_flight.remove(address) {
            bar.finish_and_clear();
        }
        if let Some(total) = &bars.total {
            total.inc(1);
        }
    }
}

impl Reporter for Live {
    fn event(&self, event: &Event) {
        match event {
            Event::ObserveStarted { total } => {
                let mut bars = self.bars.lock();
                self.total(&mut bars, u64::try_from(*total).unwrap_or(u64::MAX), "reading");
            }
            Event::Observed { .. } => {
                let bars = self.bars.lock();
                if let Some(total) = &bars.total {
                    total.inc(1);
                }
            }
            Event::Started { address, action } => self.started(address, *action),
            // A step in flight shows its waits and retries in its own line.
            Event::Waiting { address: Some(address), reason } => {
                return self.set_detail(address, &format!("waiting for {reason}"));
            }
            Event::Retrying { address: Some(address), attempt, reason, .. } => {
                return self.set_detail(address, &format!("retry {attempt}: {reason}"));
            }
            Event::Finished { address, .. } | Event::Failed { address, .. } => self.ended(address),
            _ => {}
        }
        if let Some(line) = plain::line(event, self.style) {
            self.line(&line);
        }
    }
}

fn spinner_style() -> ProgressStyle {
    ProgressStyle::with_template("  {spinner} {prefix} {wide_msg} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn total_style() -> ProgressStyle {
    ProgressStyle::with_template("  {spinner} {msg} {pos}/{len} [{elapsed}]")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
