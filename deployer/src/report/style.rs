//! Colours, if the terminal supports them and the user wants them.

use std::env;
use std::io::IsTerminal as _;

use crate::engine::Action;

/// Whether text is coloured, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    colored: bool,
}

impl Style {
    /// The style without any colour.
    pub const PLAIN: Self = Self { colored: false };

    /// Returns the style for standard output.
    pub fn of_stdout() -> Self {
        Self { colored: std::io::stdout().is_terminal() && colors_wanted() }
    }

    /// Returns the style for standard error.
    pub fn of_stderr() -> Self {
        Self { colored: std::io::stderr().is_terminal() && colors_wanted() }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colored { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Styles headings.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Styles what matters least.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Styles failures and deletions.
    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// Styles successes and creations.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Styles changes and warnings.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Styles hints.
    pub fn cyan(self, text: &str) -> String {
        self.paint("36", text)
    }

    /// Styles a text in the colour of an action.
    pub fn of_action(self, action: Action, text: &str) -> String {
        match action {
            Action::Create => self.green(text),
            Action::Update | Action::Replace => self.yellow(text),
            Action::Delete => self.red(text),
            Action::NoChange => self.dim(text),
        }
    }
}

/// Returns whether colours are wanted: not with `NO_COLOR` (<https://no-color.org>) or on a dumb terminal.
fn colors_wanted() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && !terminal_is_dumb()
}

fn terminal_is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Returns whether standard error can show moving lines: a terminal that is not dumb, outside CI.
pub fn can_animate() -> bool {
    std::io::stderr().is_terminal() && !terminal_is_dumb() && env::var_os("CI").is_none_or(|value| value.is_empty())
}
