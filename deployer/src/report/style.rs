//! Colour, where the terminal has it and the user wants it.

use std::env;
use std::io::IsTerminal as _;

use crate::engine::Action;

/// Whether text is coloured, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    colored: bool,
}

impl Style {
    /// No colour at all.
    pub const PLAIN: Self = Self { colored: false };

    /// What standard output can show.
    pub fn of_stdout() -> Self {
        Self { colored: std::io::stdout().is_terminal() && colors_wanted() }
    }

    /// What standard error can show.
    pub fn of_stderr() -> Self {
        Self { colored: std::io::stderr().is_terminal() && colors_wanted() }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colored { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// For headings.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// For what matters least.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// For failures and deletions.
    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// For what was done well, and creations.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// For changes and warnings.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// For hints.
    pub fn cyan(self, text: &str) -> String {
        self.paint("36", text)
    }

    /// In the colour of what an action does.
    pub fn of_action(self, action: Action, text: &str) -> String {
        match action {
            Action::Create => self.green(text),
            Action::Update | Action::Replace => self.yellow(text),
            Action::Delete => self.red(text),
            Action::NoChange => self.dim(text),
        }
    }
}

/// `NO_COLOR` (<https://no-color.org>) and dumb terminals.
fn colors_wanted() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && !terminal_is_dumb()
}

fn terminal_is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Whether standard error can show lines that move: a terminal that is not dumb, outside of CI.
pub fn can_animate() -> bool {
    std::io::stderr().is_terminal() && !terminal_is_dumb() && env::var_os("CI").is_none_or(|value| value.is_empty())
}
