//! The command `plan`: shows what `up` would do, without changing anything.

use super::adopt::adopting;
use super::run::{Run, check_network, heading};
use super::{CommandError, Context, Exit, expiry, relay};
use crate::cli::{PlanArgs, PlanFormat};
use crate::report::{Status, Summary};
use peersync_operations::DeployError;
use peersync_resources::quotas;
use peersync_resources::stack::Lifetime;

/// Runs the command.
///
/// # Errors
/// Fails if the configuration has problems, AWS denies access, or unmanaged resources are in the way.
pub async fn run(context: &Context, args: &PlanArgs) -> Result<Exit, CommandError> {
    let markdown = args.format == PlanFormat::Markdown;
    if markdown && context.json() {
        return Err(CommandError::usage("`--format markdown` and `--output json` exclude each other")
            .hint("leave out one of them: the JSON output has the whole plan as data"));
    }
    context.config_with_secrets()?;
    expiry::check(context, args.expires.as_ref())?;
    let run = Run::new(context);
    run.name_configuration(context)?;
    let stack = adopting(run.filled_stack(context, args.expires.as_ref()).await?, &args.adopt)?;
    let observed = run.observe(&stack).await?.readable()?;
    check_network(&stack)?;
    // A duration starts again with each `up`: the plan mentions that but does not count it.
    let plan = observed.plan(&observed.options_without_renewal(&stack));
    if !plan.conflicts.is_empty() {
        return Err(DeployError::Conflicts(plan.conflicts).into());
    }
    if let (Lifetime::Until { moment: renewed, is_duration: true, .. }, Some(present)) =
        (&stack.lifetime, observed.expires_at())
        && *renewed > present
    {
        run.report.note(&format!("The stack expires at {present}; `up` extends that to {renewed}."));
    }
    let pending = !plan.is_empty();
    if let Some(note) = relay::note(&stack.config) {
        run.report.note(&note);
    }
    let counted = quotas::needed(&stack, &plan).await;
    quotas::warnings(&counted).iter().for_each(|warning| run.report.warning(warning));
    let mut summary =
        Summary::new("plan", stack.name(), if pending { Status::ChangesPending } else { Status::NothingToDo });
    summary.changes = plan.pending().map(|step| (step.address.clone(), step.action)).collect();
    if markdown {
        run.report.plan_as_markdown(&heading(&stack), &plan);
    } else {
        run.report.plan(&heading(&stack), &plan);
    }
    if run.report.is_json() {
        run.report.summary(summary);
    }
    Ok(if pending && args.detailed_exitcode { Exit::ChangesPending } else { Exit::Done })
}
