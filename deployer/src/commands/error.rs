//! Why a command failed, in the form in which it is shown: a summary, its causes, and a hint on how to fix it.

use std::error::Error;

use miette::Diagnostic;
use serde_json::json;

use super::{Exit, output};
use crate::cli::OutputFormat;
use crate::local::LocalError;
use crate::report::problem::render_with;
use crate::report::{Invocation, Style};
use peersync_aws::ConnectError;
use peersync_config::ConfigError;
use peersync_engine::error::causes;
use peersync_engine::{GraphError, Problem, ResourceError};
use peersync_operations::DeployError;

/// Why a command failed.
#[derive(Debug)]
pub struct CommandError {
    problem: Problem,
    exit: Exit,
    /// The problems of the configuration, each with its position in the file.
    config: Option<Box<ConfigError>>,
}

impl CommandError {
    /// Creates an error with a summary only, such as `the stack is protected`.
    pub fn new(summary: impl Into<String>) -> Self {
        Problem::new(summary).into()
    }

    /// Creates an error in how the command was called.
    pub fn usage(summary: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(summary) }
    }

    /// Adds a hint on how to fix it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.problem.hint = Some(hint.into());
        self
    }

    /// Adds a cause and that cause's own causes.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let cause = cause.into();
        self.problem.causes.push(cause.to_string());
        self.problem.causes.extend(causes(cause.as_ref()));
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

    /// Writes out the commands that the hint names, so that they mean the same stack.
    #[must_use]
    pub fn completed(mut self, invocation: &Invocation) -> Self {
        self.problem = invocation.completed(self.problem);
        self
    }

    /// Shows the error: to people on stderr, to programs as the last event on stdout.
    pub fn show(&self, form: OutputFormat) {
        match form {
            OutputFormat::Human => output::note(&self.rendered(Style::of_stderr())),
            OutputFormat::Json => output::event(&self.to_json()),
        }
    }

    /// Returns what failed.
    pub fn summary(&self) -> &str {
        &self.problem.summary
    }

    /// Returns the causes, the nearest first.
    pub fn causes(&self) -> &[String] {
        &self.problem.causes
    }

    /// Returns how to fix it, if known.
    pub fn fix(&self) -> Option<&str> {
        self.problem.hint.as_deref()
    }

    /// Returns the text that people read, without colours.
    pub fn render(&self) -> String {
        self.rendered(Style::PLAIN)
    }

    fn rendered(&self, style: Style) -> String {
        let details = self.config.as_ref().map(|config| config.render(style.is_colored())).unwrap_or_default();
        render_with(&self.problem, &details, style)
    }

    /// Returns the result event that programs read, in the form in which a run that fails later ends too.
    pub fn to_json(&self) -> serde_json::Value {
        let mut error = json!(self.problem);
        if let (Some(config), Some(object)) = (&self.config, error.as_object_mut()) {
            object.insert("problems".to_owned(), config.to_json());
        }
        json!({ "event": "result", "status": "failed", "error": error, "exit_status": self.exit.code() })
    }

    /// Converts a diagnostic error, which brings its own help text.
    pub fn from_diagnostic(error: &(impl Diagnostic + 'static)) -> Self {
        let hint = error.help().map(|help| help.to_string());
        Problem { summary: error.to_string(), causes: causes(error), hint }.into()
    }
}

impl From<Problem> for CommandError {
    fn from(problem: Problem) -> Self {
        Self { problem, exit: Exit::Failed, config: None }
    }
}

impl From<DeployError> for CommandError {
    fn from(error: DeployError) -> Self {
        error.problem().into()
    }
}

impl From<ResourceError> for CommandError {
    fn from(error: ResourceError) -> Self {
        error.problem().into()
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
