//! The interface that every resource implements.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::progress::Progress;
use super::{Address, Changes, Fields, Live, OutputMap, Outputs};

/// The tags of a resource, by key.
pub type Tags = BTreeMap<String, String>;

/// One resource of a stack: it can find itself, describe its desired state, and get there.
///
/// [`desired`](Resource::desired) is pure. The other methods call the provider; they retry known transient errors, each
/// with a deadline, and report through the given [`Progress`].
#[async_trait]
pub trait Resource: Send + Sync {
    /// Returns its address in the graph.
    fn address(&self) -> &Address;

    /// Returns the resources that must exist before it, and must be deleted after it.
    fn dependencies(&self) -> Vec<Address>;

    /// Returns whether the configuration wants it at all. A resource that exists but is not wanted is deleted.
    fn wanted(&self) -> bool {
        true
    }

    /// Returns whether it can carry tags. Those that can get the stack's tags and the digest at creation. The others
    /// get at most the digest, if they have a place for it and show it among their tags.
    fn taggable(&self) -> bool {
        true
    }

    /// Returns the fields that cannot be changed in place, each with the reason.
    fn replace_on(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Returns whether a replacement is created before the old resource is deleted. [`observe`](Resource::observe) then
    /// reports the old one as a difference, and [`retire`](Resource::retire) removes it.
    fn create_before_destroy(&self) -> bool {
        false
    }

    /// Reads the resource. Returns `None` if it does not exist.
    async fn observe(&self) -> Result<Option<Live>, ResourceError>;

    /// Returns the desired state, given the outputs known so far. A field that needs an output not yet known is
    /// [`Field::Unknown`](super::Field::Unknown). Tags are not among the fields.
    fn desired(&self, outputs: &Outputs) -> Fields;

    /// Creates the resource, with `context.tags` in the same call.
    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError>;

    /// Changes the resource in place: exactly what `changes` names, and `context.tags` if `changes.tags()` is true, as
    /// the last step, so that the next run notices an interrupted update.
    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError>;

    /// Deletes the resource. Succeeds if it is already gone.
    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError>;

    /// Deletes the old resource, after its replacement has taken over and the dependents use that one.
    async fn retire(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        self.delete(progress, live).await
    }
}

/// What a resource needs while it is created or changed.
pub struct ApplyContext<'a> {
    /// The outputs of everything that it depends on.
    pub outputs: &'a Outputs,
    /// All tags that it must carry, including the digest.
    pub tags: &'a Tags,
    /// The receiver of its progress.
    pub progress: &'a Progress,
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
        let mut causes: Vec<String> = Vec::new();
        let mut next = self.source();
        while let Some(error) = next {
            let text = error.to_string();
            if !causes.iter().any(|cause| cause.contains(&text)) {
                causes.push(text);
            }
            next = error.source();
        }
        causes
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
