//! Removes a stack: deletes its resources in reverse order, then checks what remains.

use std::sync::Arc;

use super::backup::{Backup, back_up};
use super::{DeployError, ObservedStack, until_stopped};
use peersync_engine::plan::{Conflict, Plan, PlanOptions};
use peersync_engine::{Address, Interrupt, Outcome, Progress, Reporter, rule, text};
use peersync_resources::kinds::log_group;
use peersync_resources::stack::Stack;

/// The removal of one stack, planned but not yet done.
pub struct Removal {
    stack: Arc<Stack>,
    observed: ObservedStack,
    /// What will be deleted. Unmanaged resources with the stack's names are kept, and listed as conflicts.
    pub plan: Plan,
}

/// The result of a removal.
pub struct Removed {
    /// How the deletions ended.
    pub outcome: Outcome,
    /// The stack's resources that still exist.
    pub remaining: Vec<Address>,
}

impl Removal {
    /// Reads the stack and plans its removal. Refuses a protected stack: what counts are the tags of its resources, since
    /// a removal may run without the stack's configuration; a configuration that protects it forbids the removal too.
    ///
    /// # Errors
    /// Fails if the stack cannot be read, is protected, or has a table that somebody has protected by hand.
    pub async fn prepare(
        stack: Arc<Stack>,
        reporter: &Arc<dyn Reporter>,
        interrupt: &Interrupt,
    ) -> Result<Self, DeployError> {
        let read = ObservedStack::read_for_removal(&stack, reporter);
        Self::of(stack.clone(), read, interrupt).await
    }

    /// Reads the stack again, and plans its removal again.
    ///
    /// # Errors
    /// As for [`prepare`](Self::prepare).
    pub async fn prepare_again(
        &self,
        reporter: &Arc<dyn Reporter>,
        interrupt: &Interrupt,
    ) -> Result<Self, DeployError> {
        let read = ObservedStack::read_again(&self.observed, &self.stack, reporter);
        Self::of(self.stack.clone(), read, interrupt).await
    }

    async fn of(
        stack: Arc<Stack>,
        read: impl Future<Output = Result<ObservedStack, DeployError>>,
        interrupt: &Interrupt,
    ) -> Result<Self, DeployError> {
        if stack.config.stack.protect {
            let stage = &stack.config.stage;
            let hint = format!(
                "set `stack.protect = false` in the configuration of the stage {stage}, run `peersync-deploy up`, then \
                 run the command again"
            );
            return Err(DeployError::Protected { stack: stack.name(), hint });
        }
        let observed = until_stopped(interrupt, read).await??.readable()?;
        refuse_protected(&stack, &observed)?;
        let plan = observed.plan_destroy();
        Ok(Self { stack, observed, plan })
    }

    /// Returns the resources that have the stack's names but are kept, because it does not manage them.
    pub fn unmanaged(&self) -> &[Conflict] {
        &self.plan.conflicts
    }

    /// Returns the ids of the buckets that were adopted with files in them.
    pub fn kept_buckets(&self) -> impl Iterator<Item = &str> {
        self.observed.kept_buckets()
    }

    /// Backs up the users' data.
    ///
    /// # Errors
    /// Fails if a backup fails; then nothing may be deleted.
    pub async fn back_up(
        &self,
        reporter: &Arc<dyn Reporter>,
        interrupt: &Interrupt,
    ) -> Result<Vec<Backup>, DeployError> {
        let ids: Vec<&str> = self.observed.ours().map(|(_, live)| live.id.as_str()).collect();
        let present = |table: &str| ids.iter().any(|id| *id == table || id.ends_with(&format!("/{table}")));
        let progress = Progress::of_nobody(reporter.clone());
        let kept = progress.clone().scope(back_up(&self.stack, present, &progress));
        until_stopped(interrupt, kept).await?.map_err(DeployError::Backup)
    }

    /// Returns when the stack expires, according to its tags.
    pub fn expires_at(&self) -> Option<String> {
        self.observed.expires_at()
    }

    /// Deletes the resources, and reads the stack again.
    ///
    /// # Errors
    /// Fails if everything was deleted but the stack cannot be read again. Failed deletions are in the outcome.
    pub async fn execute(self, reporter: &Arc<dyn Reporter>, interrupt: &Interrupt) -> Result<Removed, DeployError> {
        let outcome = self.observed.apply(&self.plan, PlanOptions::default(), interrupt, reporter).await;
        if interrupt.stop.is_cancelled() {
            let remaining = left_by(&outcome);
            return Ok(Removed { outcome, remaining });
        }
        let mut outcome = outcome;
        let mut after = ObservedStack::read_for_removal(&self.stack, reporter).await.and_then(ObservedStack::readable);
        if let Ok(found) = &after
            && rule!("late-log-groups-are-swept", outcome.is_complete() && is_late(found))
        {
            let swept = found.apply(&found.plan_destroy(), PlanOptions::default(), interrupt, reporter).await;
            outcome.failed.extend(swept.failed);
            after = ObservedStack::read_for_removal(&self.stack, reporter).await.and_then(ObservedStack::readable);
        }
        let remaining = match after {
            Ok(after) => after.ours().map(|(address, _)| address.clone()).collect(),
            // The failed deletions are reported; that reading again failed too, usually for the same reason, adds
            // nothing.
            Err(_) if !outcome.failed.is_empty() => left_by(&outcome),
            Err(error) => return Err(error),
        };
        Ok(Removed { outcome, remaining })
    }
}

/// Returns whether nothing is left but log groups: lines that were late have created them again.
fn is_late(found: &ObservedStack) -> bool {
    let mut left = found.ours().peekable();
    left.peek().is_some() && left.all(|(address, _)| log_group::is_one(address))
}

/// Checks that the tags of the existing resources, and the tables themselves, allow the removal.
fn refuse_protected(stack: &Stack, observed: &ObservedStack) -> Result<(), DeployError> {
    let hint = if observed.is_protected() {
        "the tag peersync:protect forbids it: set `stack.protect = false` in its configuration, run \
         `peersync-deploy up`, then run the command again"
            .to_owned()
    } else if let tables @ [_, ..] = observed.protected_tables().as_slice() {
        let tables = text::list(tables, tables.len());
        format!(
            "somebody has switched on the deletion protection of {tables}: switch it off, then run the command again"
        )
    } else {
        return Ok(());
    };
    Err(DeployError::Protected { stack: stack.name(), hint })
}

/// Returns what an apply has not deleted, as far as its own outcome tells.
fn left_by(outcome: &Outcome) -> Vec<Address> {
    let failed = outcome.failed.iter().map(|failed| &failed.address);
    let skipped = outcome.skipped.iter().map(|skipped| &skipped.address);
    failed.chain(skipped).chain(&outcome.remaining).cloned().collect()
}
