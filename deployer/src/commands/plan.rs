//! The command `plan`: shows what `up` would do, without changing anything.

use super::run::{Run, heading};
use super::{CommandError, Context, Exit};
use crate::cli::PlanArgs;
use crate::report::{Status, Summary};
use peersync_operations::DeployError;

/// Runs the command.
///
/// # Errors
/// Fails if the configuration has problems, AWS denies access, or unmanaged resources are in the way.
pub async fn run(context: &Context, args: &PlanArgs) -> Result<Exit, CommandError> {
    context.config_with_secrets()?;
    let run = Run::new(context);
    let stack = run.filled_stack(context, None).await?;
    let observed = run.observe(&stack).await?.readable()?;
    // Renewing the expiry does not change the stack: the plan mentions it but does not count it.
    let expires_at = observed.expires_at().or_else(|| stack.expires_at.clone());
    let plan = observed.plan(&observed.options(&stack, expires_at, args.adopt));
    if !plan.conflicts.is_empty() {
        return Err(DeployError::Conflicts(plan.conflicts).into());
    }
    if let (Some(renewed), Some(present)) = (&stack.expires_at, observed.expires_at())
        && *renewed != present
    {
        run.report.note(&format!("The stack expires at {present}; `up` extends that to {renewed}."));
    }
    let pending = !plan.is_empty();
    let mut summary =
        Summary::new("plan", stack.name(), if pending { Status::ChangesPending } else { Status::NothingToDo });
    summary.changes = plan.pending().map(|step| (step.address.clone(), step.action)).collect();
    run.report.plan(&heading(&stack), &plan);
    if run.report.is_json() {
        run.report.summary(summary);
    }
    Ok(if pending && args.detailed_exitcode { Exit::ChangesPending } else { Exit::Done })
}
