//! Why a command failed, in the form in which it is shown: a summary, the causes, the mend.

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
    /// The problems of the configuration, each with its place in the file.
    config: Option<Box<ConfigError>>,
}

impl CommandError {
    /// An error with a summary alone, `the stack is protected`.
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), causes: Vec::new(), hint: None, exit: Exit::Failed, config: None }
    }

    /// An error in how the command was called.
    pub fn usage(summary: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(summary) }
    }

    /// Adds how to mend it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a cause and the causes of that.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let cause = cause.into();
        self.causes.push(cause.to_string());
        self.causes.extend(causes(cause.as_ref()));
        self
    }

    /// Ends the program with another exit code than 1.
    #[must_use]
    pub fn exits(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The exit code it leads to.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Shows it: to people on stderr, or as the last event on stdout.
    pub fn show(&self, form: OutputForm) {
        match form {
            OutputForm::Human => output::note(&self.rendered(colour())),
            OutputForm::Json => output::event(&self.to_json()),
        }
    }

    /// What failed.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Why, the nearest cause first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// How to mend it.
    pub fn mend(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// As people read it, without colours.
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

    /// As programs read it: the result, in the form in which a run that fails later ends too.
    pub fn to_json(&self) -> serde_json::Value {
        let mut error = json!({ "summary": self.summary, "causes": self.causes, "hint": self.hint });
        if let (Some(config), Some(object)) = (&self.config, error.as_object_mut()) {
            object.insert("problems".to_owned(), config.to_json());
        }
        json!({ "event": "result", "status": "failed", "error": error, "exit_status": self.exit.code() })
    }

    /// From an error of a part that says its own mend.
    pub fn from_diagnostic(error: &(impl Diagnostic + 'static)) -> Self {
        let hint = error.help().map(|help| help.to_string());
        Self { causes: causes(error), hint, ..Self::new(error.to_string()) }
    }
}

/// Whether stderr is a terminal that shall have colours.
fn colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The texts of an error's causes, those already said left out.
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
                .hint("add `--region eu-central-1`, or set stack.region in peersync.toml, or AWS_REGION"),
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
