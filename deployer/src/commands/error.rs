//! Why a command failed, in the form in which it is shown: a summary, its causes, and a hint on how to fix it.

use std::error::Error;
use std::io::{self, IsTerminal as _};

use miette::Diagnostic;
use serde_json::json;

use super::{Exit, output};
use crate::aws::ConnectError;
use crate::cli::OutputForm;
use crate::config::ConfigError;
use crate::deploy::DeployError;
use crate::engine::{GraphError, ResourceError};
use crate::local::LocalError;

/// Why a command failed.
#[derive(Debug)]
pub struct CommandError {
    summary: String,
    causes: Vec<String>,
    hint: Option<String>,
    exit: Exit,
    /// The problems of the configuration, each with its position in the file.
    config: Option<Box<ConfigError>>,
}

impl CommandError {
    /// Creates an error with a summary only, such as `the stack is protected`.
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), causes: Vec::new(), hint: None, exit: Exit::Failed, config: None }
    }

    /// Creates an error in how the command was called.
    pub fn usage(summary: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(summary) }
    }

    /// Adds a hint on how to fix it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a cause and that cause's own causes.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let cause = cause.into();
        self.causes.push(cause.to_string());
        self.causes.extend(causes(cause.as_ref()));
        self
    }

    /// Sets an exit code other than 1.
    #[must_use]
    pub fn exits(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Returns the exit code that the program ends with.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Shows the error: to people on stderr, to programs as the last event on stdout.
    pub fn show(&self, form: OutputForm) {
        match form {
            OutputForm::Human => output::note(&self.rendered(colour())),
            OutputForm::Json => output::event(&self.to_json()),
        }
    }

    /// Returns what failed.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Returns the causes, the nearest first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// Returns how to fix it, if known.
    pub fn mend(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Returns the text that people read, without colours.
    pub fn render(&self) -> String {
        self.rendered(false)
    }

    fn rendered(&self, colour: bool) -> String {
        let mut text = format!("error: {}", self.summary);
        for cause in &self.causes {
            text.push_str("\n  Caused by: ");
            text.push_str(&cause.replace('\n', "\n    "));
        }
        if let Some(config) = &self.config {
            text.push_str("\n\n");
            text.push_str(config.render(colour).trim_end());
        }
        if let Some(hint) = &self.hint {
            text.push_str("\nhint: ");
            text.push_str(hint);
        }
        text
    }

    /// Returns the result event that programs read, in the form in which a run that fails later ends too.
    pub fn to_json(&self) -> serde_json::Value {
        let mut error = json!({ "summary": self.summary, "causes": self.causes, "hint": self.hint });
        if let (Some(config), Some(object)) = (&self.config, error.as_object_mut()) {
            object.insert("problems".to_owned(), config.to_json());
        }
        json!({ "event": "result", "status": "failed", "error": error, "exit_status": self.exit.code() })
    }

    /// Converts a diagnostic error, which brings its own help text.
    pub fn from_diagnostic(error: &(impl Diagnostic + 'static)) -> Self {
        let hint = error.help().map(|help| help.to_string());
        Self { causes: causes(error), hint, ..Self::new(error.to_string()) }
    }
}

/// Returns whether stderr is a terminal on which colours are wanted.
fn colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Returns the texts of an error's causes, without those that an earlier text already contains.
fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut said = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !said.iter().any(|earlier| earlier.contains(&text)) {
            said.push(text);
        }
        next = cause.source();
    }
    said.split_off(1)
}

impl From<DeployError> for CommandError {
    fn from(error: DeployError) -> Self {
        Self { causes: error.causes(), hint: error.hint(), ..Self::new(error.to_string()) }
    }
}

impl From<ResourceError> for CommandError {
    fn from(error: ResourceError) -> Self {
        Self { causes: error.causes(), hint: error.hint.clone(), ..Self::new(error.summary.clone()) }
    }
}

impl From<ConnectError> for CommandError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::NoRegion => Self::usage("no region is set")
                .hint("add `--region eu-central-1`, or set stack.region in peersync.toml or the variable AWS_REGION"),
            ConnectError::Call(error) => error.into(),
        }
    }
}

impl From<ConfigError> for CommandError {
    fn from(error: ConfigError) -> Self {
        Self { config: Some(Box::new(error.clone())), ..Self::usage(error.to_string()) }
    }
}

impl From<LocalError> for CommandError {
    fn from(error: LocalError) -> Self {
        Self::from_diagnostic(&error)
    }
}

impl From<GraphError> for CommandError {
    fn from(error: GraphError) -> Self {
        Self::new("the resources do not form a graph").caused_by(error).hint("this is a bug in peersync-deploy")
    }
}
