//! What the engine asks of a resource.

use async_trait::async_trait;

use super::progress::Progress;
use super::{Address, Changes, Fields, Live, OutputMap, Outputs, ResourceError, SharedReads, Tags};

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
    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError>;

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
