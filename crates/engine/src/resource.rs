//! The interface that every resource implements.

use async_trait::async_trait;

use super::progress::Progress;
use super::{Address, Changes, FieldName, Fields, Live, OutputMap, Outputs, ResourceError, SharedReads, Tags};

/// One resource of a stack: it can find itself, describe its desired state, and get there.
///
/// What every implementation promises, so that an interrupted or repeated run ends in the same state as an undisturbed
/// one. The suite `contract` checks it for every kind against an emulator.
///
/// - **Creation survives repetition.** A call may have taken effect although its answer was lost, or the process was
///   killed after it. [`create`](Resource::create) therefore succeeds if the resource already exists and is managed by
///   the stack, and creates no second one. If the provider offers neither a unique name nor a token to recognise it by,
///   the next plan shows the second one, and [`update`](Resource::update) deletes it.
/// - **Deletion of what is gone succeeds.** So do [`delete`](Resource::delete) and [`retire`](Resource::retire) after
///   somebody else has deleted it.
/// - **The desired state is deterministic.** [`desired`](Resource::desired) is pure: the same configuration and outputs
///   always give the same fields, without a clock, a random number or a call.
/// - **Only declared dependencies are visible.** The outputs given to it are those of
///   [`dependencies`](Resource::dependencies) alone.
/// - **Only observation uses shared reads.** They tell what was there when the observation began, so that nothing that
///   changes a resource may rely on them; only [`observe`](Resource::observe) is given them.
/// - **Every wait has a deadline**, is reported through the given [`Progress`], and keeps its last error.
#[async_trait]
pub trait Resource: Send + Sync {
    /// Returns its address in the graph.
    fn address(&self) -> &Address;

    /// Returns the name that it has in AWS, if it is known before it exists. Plans show it.
    fn name(&self) -> Option<String> {
        None
    }

    /// Returns the fields that a plan shows if the resource is created: a few short ones that matter most.
    fn highlights(&self) -> &'static [FieldName] {
        &[]
    }

    /// Returns the resources that must exist before it, and must be deleted after it.
    fn dependencies(&self) -> Vec<Address>;

    /// Returns whether the configuration enables it. A resource that exists but is not enabled is deleted.
    fn enabled(&self) -> bool {
        true
    }

    /// Returns whether it can carry tags. Those that can get the stack's tags and the digest at creation. The others get
    /// the digest alone.
    fn taggable(&self) -> bool {
        true
    }

    /// Returns whether it keeps the digest that it is given, and shows it among its tags. For one that does not, nobody
    /// can tell who changed it.
    fn keeps_digest(&self) -> bool {
        self.taggable()
    }

    /// Returns the fields that cannot be changed in place, each with the reason.
    fn replace_on(&self) -> &'static [(FieldName, &'static str)] {
        &[]
    }

    /// Returns why the resource that was found has to be replaced although its fields match, such as its age. Like
    /// [`desired`](Resource::desired), this is pure: a time by which it goes was read before.
    fn outdated(&self, _live: &Live) -> Option<String> {
        None
    }

    /// Returns the fields that can be changed neither in place nor by a replacement, because data would be lost, each with
    /// the reason. If one of them differs, the plan is refused.
    fn refuse_on(&self) -> &'static [(FieldName, &'static str)] {
        &[]
    }

    /// Returns whether a replacement is created before the old resource is deleted. [`observe`](Resource::observe) then
    /// reports the old one as a difference, and [`retire`](Resource::retire) removes it.
    fn create_before_destroy(&self) -> bool {
        false
    }

    /// Returns the resources that have to answer before this one leads people to them. A change that
    /// [leads elsewhere](Resource::leads_elsewhere) waits for theirs, and what they replace is deleted after it. These are no
    /// dependencies: a resource may be created before what it leads to.
    fn leads_to(&self) -> Vec<Address> {
        Vec::new()
    }

    /// Returns whether a change leads people to another place than before. A deletion always counts as one that does.
    fn leads_elsewhere(&self, _live: &Live, _changes: &Changes) -> bool {
        false
    }

    /// Returns whether an update keeps what dependents may still use. After they have changed, and what they replace is
    /// deleted, [`finish`](Resource::finish) takes it away.
    fn keeps_former(&self, _changes: &Changes) -> bool {
        false
    }

    /// Reads the resource. Returns `None` if it does not exist. Reads that several resources need are made once, through
    /// `reads`.
    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError>;

    /// Returns the desired state, given the outputs known so far. A field that needs an output not yet known is
    /// [`Field::Unknown`](super::Field::Unknown). Tags are not among the fields.
    fn desired(&self, outputs: &Outputs) -> Fields;

    /// Creates the resource, with `context.tags` in the same call. Succeeds if a call before has already created it.
    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError>;

    /// Changes the resource in place: exactly what `changes` names. If `changes.tags()` is true, that includes the tags,
    /// as the last step, so that the next run notices an interrupted update: first `changes.removed_tags()` are removed,
    /// then `context.tags` are put, among which is the record that tells the next run what it may remove. If it
    /// [keeps something](Resource::keeps_former), the last step is that of [`finish`](Resource::finish).
    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError>;

    /// Ends an update that has kept what dependents used, with the same arguments: removes that, and records the digest, so
    /// that the next run notices an update that was not finished.
    async fn finish(&self, _: &ApplyContext<'_>, _: &Live, _: &Changes) -> Result<(), ResourceError> {
        Ok(())
    }

    /// Deletes the resource. Succeeds if it is already gone.
    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError>;

    /// Deletes the old resource, after its replacement has taken over and the dependents use that one.
    async fn retire(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        self.delete(progress, live).await
    }
}

/// What a resource needs while it is created or changed.
pub struct ApplyContext<'a> {
    /// The outputs of the resources that it declares as dependencies, and of no other.
    pub outputs: &'a Outputs,
    /// All tags that it must carry, including the digest and the record of the tags.
    pub tags: &'a Tags,
    /// The receiver of its progress.
    pub progress: &'a Progress,
}
