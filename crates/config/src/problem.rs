//! The problems of a configuration: what is wrong, where, and how to fix it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde_json::{Value, json};

/// The width of a rendered problem, in columns.
const WIDTH: usize = 100;

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, without the user's values, such as `unknown key`.
    pub summary: String,
    /// The key, such as `site.domain`. Empty if the problem does not belong to a key.
    pub key: String,
    /// The text at the underlined part.
    pub label: String,
    /// The underlined bytes of the file; `None` if the problem is about something that is not in it.
    pub span: Option<Range<usize>>,
    /// How to fix it.
    pub hint: String,
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug)]
pub struct ConfigError {
    /// The file's name as it is shown, such as `peersync.toml`.
    pub file: String,
    /// All problems, in the order of the file.
    pub problems: Vec<Problem>,
    text: Arc<str>,
}

impl ConfigError {
    /// Creates the error for a file with this text.
    pub fn new(file: impl Into<String>, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|one, other| order(one).cmp(&order(other)));
        problems.dedup();
        Self { file: file.into(), problems, text: text.into() }
    }

    /// Returns the text for people: each problem with its line of the file.
    pub fn render(&self, colour: bool) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler =
            GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false).with_context_lines(1);
        let source = NamedSource::new(&self.file, self.text.to_string()).with_language("TOML");
        let mut text = String::new();
        for (index, problem) in self.problems.iter().enumerate() {
            text.push_str(if index == 0 { "" } else { "\n" });
            let _ = handler.render_report(&mut text, &Shown { problem, source: &source });
        }
        text
    }

    /// Returns the problems for programs.
    pub fn to_json(&self) -> Value {
        self.problems
            .iter()
            .map(|problem| {
                let place = self.place_of(problem);
                json!({
                    "file": self.file,
                    "line": place.map(|(line, _)| line),
                    "column": place.map(|(_, column)| column),
                    "summary": problem.summary,
                    "key": problem.key,
                    "label": problem.label,
                    "hint": problem.hint,
                })
            })
            .collect()
    }

    /// Returns line and column of a problem, both counted from 1.
    pub fn place_of(&self, problem: &Problem) -> Option<(usize, usize)> {
        problem.span.as_ref().map(|span| self.place(span.start))
    }

    fn place(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..byte).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => write!(formatter, "the configuration has a problem"),
            count => write!(formatter, "the configuration has {count} problems"),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Returns the sort key: the order of the file, with problems that have no position at the end.
fn order(problem: &Problem) -> (usize, &str, &str, &str) {
    let start = problem.span.as_ref().map_or(usize::MAX, |span| span.start);
    (start, &problem.key, &problem.summary, &problem.label)
}

/// One problem in the form that miette renders.
#[derive(Debug)]
struct Shown<'a> {
    problem: &'a Problem,
    source: &'a NamedSource<String>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.problem.summary)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.problem.hint))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.problem.span.as_ref().map(|_| self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.problem.span.clone()?;
        let label = LabeledSpan::new_with_span(Some(self.problem.label.clone()), span);
        Some(Box::new(std::iter::once(label)))
    }
}
