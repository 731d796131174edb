//! What the user sees: data on standard output, progress on standard error; for people or, line by line, for programs.

mod json;
mod live;
mod plain;
mod plan_text;
pub mod problem;
mod sink;
mod style;
mod summary;
mod tally;
pub mod words;

pub use sink::Sink;
pub use style::Style;
pub use summary::{Status, Summary, outputs as outputs_text};
pub use tally::{Retried, Tally};

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::json::Json;
use self::live::Live;
use self::plain::Plain;
use peersync_engine::{Plan, Reporter};

/// Who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// A person.
    Human,
    /// A program: one JSON object a line on standard output.
    Program,
}

/// How progress is shown.
enum Progress {
    Live(Arc<Live>),
    Plain(Sink),
    Json,
}

/// The way to the user, for the length of one command.
pub struct Report {
    stdout: Sink,
    style: Style,
    error_style: Style,
    progress: Progress,
    tally: Arc<Tally>,
    started: Instant,
}

impl Report {
    /// Decides by the terminal how it is shown.
    pub fn new(audience: Audience) -> Self {
        let stdout = Sink::stdout();
        let (progress, renderer): (Progress, Arc<dyn Reporter>) = match audience {
            Audience::Program => (Progress::Json, Arc::new(Json::new(stdout.clone()))),
            Audience::Human if style::can_animate() => {
                let live = Arc::new(Live::new(Style::of_stderr()));
                (Progress::Live(live.clone()), live)
            }
            Audience::Human => {
                let stderr = Sink::stderr();
                (Progress::Plain(stderr.clone()), Plain::new(stderr, Style::of_stderr()))
            }
        };
        Self {
            stdout,
            style: Style::of_stdout(),
            error_style: Style::of_stderr(),
            progress,
            tally: Arc::new(Tally::new(renderer)),
            started: Instant::now(),
        }
    }

    /// Where the engine sends its events.
    pub fn reporter(&self) -> Arc<dyn Reporter> {
        self.tally.clone()
    }

    /// Runs calls that belong to no resource with their retries told and counted.
    pub async fn attributed<F: Future>(&self, future: F) -> F::Output {
        peersync_engine::Progress::of_nobody(self.reporter()).scope(future).await
    }

    /// Whether a program reads it.
    pub fn is_json(&self) -> bool {
        matches!(self.progress, Progress::Json)
    }

    /// How standard output is coloured.
    pub fn style(&self) -> Style {
        self.style
    }

    /// How long the command has run.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// What was retried so far.
    pub fn retries(&self) -> Vec<Retried> {
        self.tally.retries()
    }

    /// Data for a person, on standard output. Programs get the same from the events.
    pub fn data(&self, text: &str) {
        match &self.progress {
            Progress::Json => {}
            Progress::Live(live) => {
                live.clear();
                self.stdout.line(text);
            }
            Progress::Plain(_) => self.stdout.line(text),
        }
    }

    /// An event for a program. A person gets the same from the texts.
    pub fn event(&self, event: &Value) {
        if self.is_json() {
            self.stdout.line(&event.to_string());
        }
    }

    /// A line about what happens, on standard error.
    pub fn note(&self, text: &str) {
        match &self.progress {
            Progress::Json => self.event(&json!({ "event": "note", "text": text })),
            Progress::Live(live) => live.line(text),
            Progress::Plain(stderr) => stderr.line(text),
        }
    }

    /// Something that the user should look at, on standard error.
    pub fn warning(&self, text: &str) {
        match &self.progress {
            Progress::Json => self.event(&json!({ "event": "warning", "text": text })),
            Progress::Live(live) => live.line(&format!("{} {text}", self.error_style.yellow("warning:"))),
            Progress::Plain(stderr) => stderr.line(&format!("{} {text}", self.error_style.yellow("warning:"))),
        }
    }

    /// Shows that this is waited for until the guard is dropped.
    pub fn busy(&self, text: &str) -> Busy {
        match &self.progress {
            Progress::Live(live) => Busy(Some(live.busy(text))),
            Progress::Plain(stderr) => {
                stderr.line(&format!("{text} …"));
                Busy(None)
            }
            Progress::Json => Busy(None),
        }
    }

    /// Shows the plan that is about to be applied, or that was asked for; the heading says for which stack.
    pub fn plan(&self, heading: &str, plan: &Plan) {
        self.event(&json!({ "event": "plan", "steps": steps_of(plan) }));
        self.data(&format!("{}\n\n{}", self.style.bold(heading), plan_text::plan(plan, self.style)));
    }

    /// Shows what is about to be deleted.
    pub fn destruction(&self, heading: &str, plan: &Plan) {
        self.event(&json!({ "event": "plan", "steps": steps_of(plan) }));
        self.data(&format!("{}\n\n{}", self.style.bold(heading), plan_text::destruction(plan, self.style)));
    }

    /// How many steps are to come, for the display.
    pub fn expect(&self, steps: usize) {
        if let Progress::Live(live) = &self.progress {
            live.expect(steps);
        }
    }

    /// Takes what moves off the screen.
    pub fn clear(&self) {
        if let Progress::Live(live) = &self.progress {
            live.clear();
        }
    }

    /// The last word: problems on standard error, what was done on standard output; one object for programs.
    pub fn summary(&self, summary: Summary) {
        self.summary_as("result", summary);
    }

    /// The last word about one of several stacks; `event` names it for programs.
    pub fn summary_as(&self, event: &str, mut summary: Summary) {
        self.clear();
        summary.retries = self.retries();
        summary.elapsed = self.elapsed();
        if self.is_json() {
            let mut value = summary.json();
            if let Some(object) = value.as_object_mut() {
                object.insert("event".to_owned(), json!(event));
            }
            return self.event(&value);
        }
        let problems = summary.problems(self.error_style);
        if !problems.is_empty() {
            self.note(&problems);
        }
        self.stdout.line(&summary.text(self.style));
    }
}

/// Ends a spinner when it is dropped.
pub struct Busy(Option<indicatif::ProgressBar>);

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// The steps that do something, with every field.
fn steps_of(plan: &Plan) -> Vec<&peersync_engine::Step> {
    plan.pending().collect()
}

#[cfg(test)]
mod tests;
