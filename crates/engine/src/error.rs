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

/// Which kind of failure it was; chooses exit code and help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Failure {
    /// Credentials are missing, expired or wrong: nothing else will work either.
    Credentials,
    /// The provider refused this call to this caller.
    Denied,
    /// The provider could not be reached.
    Unreachable,
    /// This endpoint does not offer the service or operation.
    NotOffered,
    /// Anything else.
    #[default]
    Other,
}

/// Why a resource could not be read or changed: a summary without user values, the cause, the mend.
#[derive(Clone, Debug)]
pub struct ResourceError {
    /// What failed, `failed to create the bucket`.
    pub summary: String,
    /// How to mend it, where we know.
    pub hint: Option<String>,
    /// Which kind of failure.
    pub failure: Failure,
    /// The provider's own code for it, `ResourceNotFoundException`.
    pub code: Option<String>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl ResourceError {
    /// An error with a summary alone.
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), hint: None, failure: Failure::Other, code: None, source: None }
    }

    /// Adds how to mend it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says which kind of failure it was.
    #[must_use]
    pub fn failure(mut self, failure: Failure) -> Self {
        self.failure = failure;
        self
    }

    /// Keeps the provider's code.
    #[must_use]
    pub fn code(mut self, code: Option<&str>) -> Self {
        self.code = code.map(str::to_owned);
        self
    }

    /// Whether the provider's code is one of these.
    pub fn is(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Returns the texts of the causes, the nearest first, repeated ones left out.
    pub fn causes(&self) -> Vec<String> {
        chain(self.source(), Vec::new())
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
