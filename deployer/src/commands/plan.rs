//! `plan`: what `up` would do. Writes nothing.

use super::run::{Run, heading};
use super::{CommandError, Context, Exit};
use crate::cli::PlanArgs;
use crate::report::{Status, Summary};
use peersync_operations::DeployError;

/// Runs the command.
///
/// # Errors
/// Problems of the configuration, no access, foreign resources in the way.
pub async fn run(context: &Context, args: &PlanArgs) -> Result<Exit, CommandError> {
    context.config_with_secrets()?;
    let run = Run::new(context);
    let stack = run.filled_stack(context, None).await?;
    let survey = run.survey(&stack).await?.readable()?;
    // That `up` renews the expiry is no change of the stack: it is said, and does not count.
    let expires_at = survey.expires_at().or_else(|| stack.expires_at.clone());
    let plan = survey.plan(&survey.options(&stack, expires_at, args.adopt));
    if !plan.conflicts.is_empty() {
        return Err(DeployError::Conflicts(plan.conflicts).into());
    }
    if let (Some(renewed), Some(present)) = (&stack.expires_at, survey.expires_at())
        && *renewed != present
    {
        run.report.note(&format!("The stack expires at {present}; `up` renews that to {renewed}."));
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
