//! Errors in the form in which all of them are shown: a summary without user values, the causes, the fix.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// An error as people and programs read it, whatever type it had.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What failed, `failed to create the bucket`.
    pub summary: String,
    /// Why, the nearest cause first.
    pub causes: Vec<String>,
    /// How to fix it, if we know.
    pub hint: Option<String>,
}

impl Problem {
    /// Returns a problem with a summary alone.
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), ..Self::default() }
    }
}

/// Returns the texts of an error's causes, the nearest first, without those that an earlier text contains.
pub fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    chain(error.source(), vec![error.to_string()]).split_off(1)
}

/// Returns the text of the innermost cause, `connection refused`: the outer ones of a network error only repeat the URL.
pub fn innermost_cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

/// Adds the texts of an error and its causes to those already shown.
fn chain(mut next: Option<&(dyn Error + 'static)>, mut texts: Vec<String>) -> Vec<String> {
    while let Some(error) = next {
        let text = error.to_string();
        if !texts.iter().any(|shown| shown.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts
}

/// The kind of a failure, which determines exit code and hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Failure {
    /// Credentials are missing, expired or wrong, so that no other call will work either.
    Credentials,
    /// The provider denied this call to this caller.
    Denied,
    /// The provider could not be reached.
    Unreachable,
    /// This endpoint does not offer the service or operation.
    NotOffered,
    /// Another provider than that of the stack, whose services a resource uses too, refused or did not answer.
    Elsewhere,
    /// Any other failure.
    #[default]
    Other,
}

/// Why a resource could not be read or changed: a summary without user values, the cause, and how to fix it.
#[derive(Clone, Debug)]
pub struct ResourceError {
    /// What failed, such as `failed to create the bucket`.
    pub summary: String,
    /// How to fix it, if known.
    pub hint: Option<String>,
    /// The kind of the failure.
    pub failure: Failure,
    /// The provider's error code, such as `ResourceNotFoundException`.
    pub code: Option<String>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl ResourceError {
    /// Creates an error with a summary only.
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), hint: None, failure: Failure::Other, code: None, source: None }
    }

    /// Adds a hint on how to fix it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the kind of the failure.
    #[must_use]
    pub fn failure(mut self, failure: Failure) -> Self {
        self.failure = failure;
        self
    }

    /// Sets the provider's error code.
    #[must_use]
    pub fn code(mut self, code: Option<&str>) -> Self {
        self.code = code.map(str::to_owned);
        self
    }

    /// Returns whether the provider's error code is one of these.
    pub fn is(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Returns the texts of the causes, the nearest first, without repetitions.
    pub fn causes(&self) -> Vec<String> {
        chain(self.source(), Vec::new())
    }

    /// Returns whether one of the causes contains this text.
    pub fn mentions(&self, text: &str) -> bool {
        self.causes().iter().any(|cause| cause.contains(text))
    }

    /// Returns it in the form in which all errors are shown.
    pub fn problem(&self) -> Problem {
        Problem { summary: self.summary.clone(), causes: self.causes(), hint: self.hint.clone() }
    }
}

impl fmt::Display for ResourceError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.summary)
    }
}

impl Error for ResourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn Error + 'static))
    }
}
