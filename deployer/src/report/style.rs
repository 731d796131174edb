//! Colours, if the terminal supports them and the user wants them.

use std::env;
use std::io::{self, IsTerminal as _};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Effects, Style as Ansi};
use peersync_engine::Action;

/// Whether text is coloured, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    colored: bool,
}

impl Style {
    /// The style without any colour.
    pub const PLAIN: Self = Self { colored: false };

    /// The style with colours, whatever the output is.
    #[cfg(test)]
    pub const COLORED: Self = Self { colored: true };

    /// Returns the style for standard output.
    pub fn of_stdout() -> Self {
        Self::of(AutoStream::choice(&io::stdout()))
    }

    /// Returns the style for standard error.
    pub fn of_stderr() -> Self {
        Self::of(AutoStream::choice(&io::stderr()))
    }

    /// `NO_COLOR` (<https://no-color.org>), `CLICOLOR_FORCE` and dumb terminals have been considered in the choice.
    fn of(choice: ColorChoice) -> Self {
        Self { colored: choice != ColorChoice::Never }
    }

    /// Whether text is coloured at all.
    pub fn is_colored(self) -> bool {
        self.colored
    }

    fn paint(self, style: Ansi, text: &str) -> String {
        if self.colored { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Styles headings.
    pub fn bold(self, text: &str) -> String {
        self.paint(Ansi::new().effects(Effects::BOLD), text)
    }

    /// Styles what matters least.
    pub fn dim(self, text: &str) -> String {
        self.paint(Ansi::new().effects(Effects::DIMMED), text)
    }

    /// Styles failures and deletions.
    pub fn red(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default(), text)
    }

    /// Styles successes and creations.
    pub fn green(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    /// Styles changes and warnings.
    pub fn yellow(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default(), text)
    }

    /// Styles hints.
    pub fn cyan(self, text: &str) -> String {
        self.paint(AnsiColor::Cyan.on_default(), text)
    }

    /// Styles a text in the colour of one of several sources.
    pub fn distinct(self, number: usize, text: &str) -> String {
        /// Without red and yellow, which mean something.
        const COLORS: [AnsiColor; 9] = [
            AnsiColor::Cyan,
            AnsiColor::Green,
            AnsiColor::Magenta,
            AnsiColor::Blue,
            AnsiColor::BrightCyan,
            AnsiColor::BrightGreen,
            AnsiColor::BrightMagenta,
            AnsiColor::BrightBlue,
            AnsiColor::White,
        ];
        let color = COLORS.get(number % COLORS.len()).copied().unwrap_or(AnsiColor::White);
        self.paint(color.on_default(), text)
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

fn terminal_is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Returns whether standard error can show moving lines: a terminal that is not dumb, outside CI.
pub fn can_animate() -> bool {
    io::stderr().is_terminal() && !terminal_is_dumb() && env::var_os("CI").is_none_or(|value| value.is_empty())
}
