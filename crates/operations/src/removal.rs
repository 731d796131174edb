//! Removing a stack: what is ours is deleted in the reverse order, then it is looked again.

use std::sync::Arc;

use super::backup::{Backup, back_up};
use super::{DeployError, Survey, until_stopped};
use peersync_engine::plan::{Conflict, Plan, PlanOptions};
use peersync_engine::{Address, Interrupt, Outcome, Progress, Reporter};
use peersync_resources::stack::Stack;

/// The removal of one stack, seen but not done yet.
pub struct Removal {
    stack: Arc<Stack>,
    survey: Survey,
    /// What will be deleted; what has our names and is not ours stays, and is among the conflicts.
    pub plan: Plan,
}

/// How a removal ended.
pub struct Removed {
    /// How the deletions ended.
    pub outcome: Outcome,
    /// What of ours is still there.
    pub remaining: Vec<Address>,
}

impl Removal {
    /// Reads the stack and plans its removal. Refuses a protected one.
    ///
    /// # Errors
    /// It cannot be read, or is protected.
    pub async fn prepare(
        stack: Arc<Stack>,
        reporter: &Arc<dyn Reporter>,
        interrupt: &Interrupt,
    ) -> Result<Self, DeployError> {
        if stack.config.stack.protect {
            let stage = &stack.config.stage;
            let mend =
                format!("set `stack.protect = false` in the configuration of the stage {stage}, then run this again");
            return Err(DeployError::Protected { stack: stack.name(), mend });
        }
        let survey = until_stopped(interrupt, Survey::take(&stack, reporter)).await??.readable()?;
        let plan = survey.plan_destroy();
        Ok(Self { stack, survey, plan })
    }

    /// Whether the tags of what is there forbid it, whatever the configuration says now.
    ///
    /// # Errors
    /// They do.
    pub fn refuse_tagged(&self) -> Result<(), DeployError> {
        if !self.survey.is_protected() {
            return Ok(());
        }
        let mend =
            "its tag peersync:protect says so: set `stack.protect = false` in its configuration, run `up`, then this \
                    again"
                .to_owned();
        Err(DeployError::Protected { stack: self.stack.name(), mend })
    }

    /// What has our names and stays, because it is not ours.
    pub fn foreign(&self) -> &[Conflict] {
        &self.plan.conflicts
    }

    /// Keeps the users' data.
    ///
    /// # Errors
    /// A backup failed; then nothing may be deleted.
    pub async fn back_up(
        &self,
        reporter: &Arc<dyn Reporter>,
        interrupt: &Interrupt,
    ) -> Result<Vec<Backup>, DeployError> {
        let ids: Vec<&str> = self.survey.ours().map(|(_, live)| live.id.as_str()).collect();
        let present = |table: &str| ids.iter().any(|id| *id == table || id.ends_with(&format!("/{table}")));
        let progress = Progress::of_nobody(reporter.clone());
        let kept = progress.clone().scope(back_up(&self.stack, present, &progress));
        until_stopped(interrupt, kept).await?.map_err(DeployError::Backup)
    }

    /// When the stack may be removed, as its tags say now.
    pub fn expires_at(&self) -> Option<String> {
        self.survey.expires_at()
    }

    /// Deletes, and looks again.
    ///
    /// # Errors
    /// Everything was deleted, but it cannot be seen whether something is left. Failed deletions are in the outcome.
    pub async fn execute(self, reporter: &Arc<dyn Reporter>, interrupt: &Interrupt) -> Result<Removed, DeployError> {
        let outcome = self.survey.apply(&self.plan, PlanOptions::default(), interrupt, reporter).await;
        if interrupt.stop.is_cancelled() {
            let remaining = left_by(&outcome);
            return Ok(Removed { outcome, remaining });
        }
        let remaining = match Survey::take(&self.stack, reporter).await.and_then(Survey::readable) {
            Ok(after) => after.ours().map(|(address, _)| address.clone()).collect(),
            // What failed is told; that looking again failed too, usually for the same reason, adds nothing.
            Err(_) if !outcome.failed.is_empty() => left_by(&outcome),
            Err(error) => return Err(error),
        };
        Ok(Removed { outcome, remaining })
    }
}

/// What an apply has not deleted, as far as it knows itself.
fn left_by(outcome: &Outcome) -> Vec<Address> {
    let failed = outcome.failed.iter().map(|failed| &failed.address);
    let skipped = outcome.skipped.iter().map(|skipped| &skipped.address);
    failed.chain(skipped).chain(&outcome.remaining).cloned().collect()
}
