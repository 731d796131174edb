//! What the engine asks of a resource.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::progress::Progress;
use super::{Address, Changes, Fields, Live, OutputMap, Outputs};

/// The tags of a resource, by key.
pub type Tags = BTreeMap<String, String>;

/// One resource of a stack: knows how to find itself, what it wants to be, and how to get there.
///
/// [`desired`](Resource::desired) is pure. The other methods talk to the provider; they retry what is known to
/// pass by itself, each with a deadline, and report through the [`Progress`] they are given.
#[async_trait]
pub trait Resource: Send + Sync {
    /// Its name in the graph.
    fn address(&self) -> &Address;

    /// What must exist before it, and must be deleted after it.
    fn dependencies(&self) -> Vec<Address>;

    /// Whether the configuration wants it at all. A resource that is not wanted is deleted where it is found.
    fn wanted(&self) -> bool {
        true
    }

    /// Whether it can carry tags; those that can get the stack's tags and the digest at creation. The others get at
    /// most the digest, where they have a place for it and show it among their tags.
    fn taggable(&self) -> bool {
        true
    }

    /// Fields that cannot be changed in place, each with the reason.
    fn replace_on(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Whether a replacement is created before the old one is deleted. The old one is then found by
    /// [`observe`](Resource::observe) as a difference and removed by [`retire`](Resource::retire).
    fn create_before_destroy(&self) -> bool {
        false
    }

    /// Reads it. `None` where it does not exist.
    async fn observe(&self) -> Result<Option<Live>, ResourceError>;

    /// What it shall be, given the outputs known so far; a field that needs an output not yet known is
    /// [`Field::Unknown`](super::Field::Unknown). Tags are not among the fields.
    fn desired(&self, outputs: &Outputs) -> Fields;

    /// Creates it, with `context.tags` in the same call.
    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError>;

    /// Changes it in place: exactly what `changes` names; `context.tags` wherever `changes.tags()` says so,
    /// as the last step, so that an interrupted update is seen again.
    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError>;

    /// Deletes it; succeeds where it is already gone.
    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError>;

    /// Deletes the old resource after its replacement has taken over and the dependents have moved to it.
    async fn retire(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        self.delete(progress, live).await
    }
}

/// What a resource needs while it is created or changed.
pub struct ApplyContext<'a> {
    /// Outputs of everything it depends on.
    pub outputs: &'a Outputs,
    /// All tags it shall carry, the digest included.
    pub tags: &'a Tags,
    /// Where waiting and retrying are reported.
    pub progress: &'a Progress,
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

    /// The texts of the causes, the nearest first, repeated ones left out.
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
