//! What the user sees: data on standard output and progress on standard error, for people or as JSON lines for
//! programs.

mod columns;
mod difference;
mod invocation;
mod json;
mod live;
mod markdown;
mod plain;
mod plan_text;
pub mod problem;
mod sink;
mod style;
mod summary;
mod tally;
pub mod words;

pub use columns::columns;
pub use invocation::Invocation;
pub use sink::Sink;
pub use style::Style;
pub use summary::{Status, Summary, outputs as outputs_text};
pub use tally::{Retried, Tally};

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use self::json::Json;
use self::live::Live;
use self::plain::Plain;
use peersync_engine::{Plan, Reporter};

/// Who reads the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// A person reads it.
    Human,
    /// A program reads it: one JSON object per line on standard output.
    Program,
}

/// How progress is shown.
enum Progress {
    Live(Arc<Live>),
    Plain(Sink),
    Json,
}

/// The output to the user for the duration of one command.
pub struct Report {
    stdout: Sink,
    style: Style,
    error_style: Style,
    progress: Progress,
    tally: Arc<Tally>,
    started: Instant,
    invocation: Invocation,
}

impl Report {
    /// Creates the report. How it shows progress depends on the terminal.
    pub fn new(audience: Audience, invocation: Invocation) -> Self {
        let stdout = Sink::stdout();
        let (progress, renderer): (Progress, Arc<dyn Reporter>) = match audience {
            Audience::Program => (Progress::Json, Arc::new(Json::new(stdout.clone(), invocation.clone()))),
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
            invocation,
        }
    }

    /// Returns the receiver of the engine's events.
    pub fn reporter(&self) -> Arc<dyn Reporter> {
        self.tally.clone()
    }

    /// Runs calls that belong to no resource, and shows and counts their retries.
    pub async fn attributed<F: Future>(&self, future: F) -> F::Output {
        peersync_engine::Progress::of_nobody(self.reporter()).scope(future).await
    }

    /// Returns whether a program reads the output.
    pub fn is_json(&self) -> bool {
        matches!(self.progress, Progress::Json)
    }

    /// Returns the style of standard output.
    pub fn style(&self) -> Style {
        self.style
    }

    /// Returns how long the command has run, in milliseconds.
    pub fn elapsed_ms(&self) -> u64 {
        json::millis(self.started.elapsed())
    }

    /// Returns the invocation that means one stage, for commands that work on several.
    pub fn invocation_for(&self, stage: &str) -> Invocation {
        self.invocation.for_stage(stage)
    }

    /// Returns what was retried so far.
    pub fn retries(&self) -> Vec<Retried> {
        self.tally.retries()
    }

    /// Writes data for a person to standard output. Programs get the same data from the events.
    pub fn data(&self, text: &str) {
        let text = &self.invocation.complete(text);
        match &self.progress {
            Progress::Json => {}
            Progress::Live(live) => {
                live.clear();
                self.stdout.line(text);
            }
            Progress::Plain(_) => self.stdout.line(text),
        }
    }

    /// Writes an event for a program. A person gets the same data from the texts.
    pub fn event(&self, event: &Value) {
        if self.is_json() {
            self.stdout.line(&event.to_string());
        }
    }

    /// Writes a line about what is happening to standard error.
    pub fn note(&self, text: &str) {
        let text = &self.invocation.complete(text);
        match &self.progress {
            Progress::Json => self.event(&json!({ "event": "note", "text": text })),
            Progress::Live(live) => live.line(text),
            Progress::Plain(stderr) => stderr.line(text),
        }
    }

    /// Writes a warning that the user should act on to standard error.
    pub fn warning(&self, text: &str) {
        let text = &self.invocation.complete(text);
        match &self.progress {
            Progress::Json => self.event(&json!({ "event": "warning", "text": text })),
            Progress::Live(live) => live.line(&format!("{} {text}", self.error_style.yellow("warning:"))),
            Progress::Plain(stderr) => stderr.line(&format!("{} {text}", self.error_style.yellow("warning:"))),
        }
    }

    /// Shows that something is waited for until the returned guard is dropped.
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

    /// Mentions again what [`Report::busy`] shows, if nothing moves on the screen.
    pub fn still(&self, text: &str) {
        if let Progress::Plain(stderr) = &self.progress {
            stderr.line(text);
        }
    }

    /// Shows a plan that is about to be applied or was asked for. The heading names the stack.
    pub fn plan(&self, heading: &str, plan: &Plan) {
        self.event(&json!({ "event": "plan", "steps": steps_of(plan) }));
        self.data(&format!("{}\n\n{}", self.style.bold(heading), plan_text::plan(plan, self.style)));
    }

    /// Shows a plan as Markdown, for a comment on a pull request.
    pub fn plan_as_markdown(&self, heading: &str, plan: &Plan) {
        self.data(&markdown::plan(heading, plan));
    }

    /// Shows what is about to be deleted.
    pub fn destruction(&self, heading: &str, plan: &Plan) {
        self.event(&json!({ "event": "plan", "steps": steps_of(plan) }));
        self.data(&format!("{}\n\n{}", self.style.bold(heading), plan_text::destruction(plan, self.style)));
    }

    /// Sets the number of steps to come.
    pub fn expect(&self, steps: usize) {
        if let Progress::Live(live) = &self.progress {
            live.expect(steps);
        }
    }

    /// Removes the moving lines from the screen.
    pub fn clear(&self) {
        if let Progress::Live(live) = &self.progress {
            live.clear();
        }
    }

    /// Writes the end of a run: problems to standard error and what was done to standard output, or one object for
    /// programs.
    pub fn summary(&self, summary: Summary) {
        self.summary_as("result", summary);
    }

    /// Writes the end of the run of one of several stacks; programs see it as `event`.
    pub fn summary_as(&self, event: &str, mut summary: Summary) {
        self.clear();
        summary.retries = self.retries();
        summary.elapsed = self.started.elapsed();
        summary.invocation = self.invocation.clone();
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

/// A guard that ends a spinner when it is dropped.
pub struct Busy(Option<indicatif::ProgressBar>);

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Returns the steps that do something, with every field.
fn steps_of(plan: &Plan) -> Vec<&peersync_engine::Step> {
    plan.pending().collect()
}

#[cfg(test)]
mod tests;
