//! The command `plan`: shows what `up` would do, without changing anything.

use super::adopt::adopting;
use super::run::{Run, check_network, heading};
use super::{CommandError, Context, Exit, expiry, relay};
use crate::cli::{PlanArgs, PlanFormat};
use crate::report::{Status, Summary};
use peersync_engine::ResourceError;
use peersync_operations::{DeployError, NeededDomain, until_stopped};
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
    if let Some(needed) = NeededDomain::of(&stack, &observed) {
        needed.note().iter().for_each(|note| run.report.note(note));
        if let Some(refusal) = until_stopped(&run.interrupt, needed.refusal()).await? {
            run.report.warning(&refused(&refusal));
        }
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

/// Returns that `up` would refuse the plan, and why.
fn refused(refusal: &ResourceError) -> String {
    let causes: String = refusal.causes().iter().map(|cause| format!(": {cause}")).collect();
    format!("`up` refuses this plan: {refusal}{causes}; {}", refusal.hint.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_to_expect_is_one_line() {
        let refusal =
            ResourceError::new("the way in needs a domain").caused_by("a.example resolves to 192.0.2.1").hint("fix");
        insta::assert_snapshot!(
            refused(&refusal),
            @"`up` refuses this plan: the way in needs a domain: a.example resolves to 192.0.2.1; fix"
        );
    }
}
