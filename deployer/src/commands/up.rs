//! The command `up`: makes AWS match the configuration.
//!
//! At a terminal it asks for confirmation before it begins, unless `-y` is given. Without a terminal it requires `-y`
//! only if an existing resource is changed, replaced or deleted: creating missing resources and renewing the expiry
//! cannot harm anybody.

use std::time::SystemTime;

use super::confirm::{can_ask, confirm};
use super::run::{Run, heading};
use super::{CommandError, Context, Exit};
use crate::cli::UpArgs;
use crate::report::{Status, Summary};
use peersync_config::Expiry;
use peersync_engine::{Action, Outcome, Plan, PlanOptions, Problem, Progress, ResourceError, Step};
use peersync_operations::{DeployError, ObservedStack, until_stopped};
use peersync_resources::check_program;
use peersync_resources::kinds::s3_program;
use peersync_resources::stack::{EXPIRES_TAG, NO_EXPIRY, Stack};

/// Runs the command.
///
/// # Errors
/// Fails without changing anything if the configuration has problems, AWS denies access, unmanaged resources are in the
/// way, or the user does not confirm.
pub async fn run(context: &Context, args: &UpArgs) -> Result<Exit, CommandError> {
    let config = context.config_with_secrets()?;
    match &args.expires {
        Some(expires) => check_expiry(expires, config.stack.protect)?,
        None => context.loaded()?.require_future_expiry(SystemTime::now())?,
    }
    let run = Run::new(context);
    run.name_configuration(context)?;
    let stack = run.filled_stack(context, args.expires.as_ref()).await?;
    let observed = run.observe(&stack).await?.readable()?;
    agree_without_file(&run, &stack, &observed).await?;
    let options = observed.options(&stack, args.adopt);
    let plan = observed.plan(&options);
    if !plan.conflicts.is_empty() {
        return Err(DeployError::Conflicts(plan.conflicts).into());
    }
    if plan.is_empty() {
        let mut summary = Summary::new("up", stack.name(), Status::NothingToDo);
        summary.outputs = peersync_operations::places(&stack, &observed.outputs(), observed.expires_at());
        run.report.summary(summary);
        return Ok(Exit::Done);
    }
    let unsuitable = unsuitable_programs(&stack, &plan);
    let warnings = refuse(unsuitable, stack.clients.endpoint_url.is_some())?;
    run.report.plan(&heading(&stack), &plan);
    warnings.iter().for_each(|warning| run.report.warning(warning));
    agree(&run, &stack, &plan, args.yes).await?;
    let summary = apply(&run, &stack, &observed, &plan, options, !args.no_check).await;
    let exit = if summary.status == Status::Done { Exit::Done } else { Exit::Failed };
    run.report.summary(summary);
    Ok(exit)
}

/// Checks an expiry from the command line as the configuration checks its own.
fn check_expiry(expires: &Expiry, protect: bool) -> Result<(), CommandError> {
    if expires.is_past(SystemTime::now()) {
        return Err(CommandError::usage("the time given with `--expires` has passed")
            .caused_by(format!("{expires} is in the past"))
            .hint("give a later time, or a duration such as `--expires 48h`"));
    }
    if protect && *expires != Expiry::Never {
        return Err(CommandError::usage("a protected stage does not expire")
            .caused_by("`stack.protect` is true, and `--expires` is given")
            .hint("leave out `--expires`, or set `stack.protect = false`"));
    }
    Ok(())
}

/// Asks before the defaults replace the configuration of a stack that was made with a file, even with `-y`: the file is
/// more likely to be in another folder than to be gone on purpose.
async fn agree_without_file(run: &Run, stack: &Stack, observed: &ObservedStack) -> Result<(), CommandError> {
    if stack.has_file || !observed.has_file() {
        return Ok(());
    }
    if can_ask(run) {
        return confirm(run, &format!("replace the configuration of {} by the defaults", heading(stack))).await;
    }
    Err(CommandError::usage("the stack was deployed with a configuration file, and none is here")
        .caused_by("no `peersync.toml` in this folder, and no `-c`")
        .hint("run it in the folder of the file, or name the file with `-c`; an empty file brings back the defaults"))
}

/// Returns what is wrong with the programs that the plan uploads.
fn unsuitable_programs(stack: &Stack, plan: &Plan) -> Vec<ResourceError> {
    let uploads = plan.pending().filter(|step| step.action != Action::Delete);
    uploads
        .filter_map(|step| s3_program::program(stack, &step.address))
        .filter_map(|one| check_program(one).err())
        .collect()
}

/// Refuses programs that do not run on AWS, before anything is created. An AWS emulator may run them all the same, on
/// this computer, so there it is only a warning.
fn refuse(unsuitable: Vec<ResourceError>, at_endpoint: bool) -> Result<Vec<String>, CommandError> {
    let sentence = |error: &ResourceError| {
        let causes: String = error.causes().iter().map(|cause| format!(": {cause}")).collect();
        format!("{error}{causes}; {}", error.hint.as_deref().unwrap_or_default())
    };
    if at_endpoint {
        return Ok(unsuitable.iter().map(sentence).collect());
    }
    unsuitable.into_iter().next().map_or(Ok(Vec::new()), |error| Err(error.into()))
}

async fn agree(run: &Run, stack: &Stack, plan: &Plan, yes: bool) -> Result<(), CommandError> {
    let harmless = plan.pending().all(is_harmless);
    if yes || plan.pending().all(Step::is_renewal) || (harmless && !can_ask(run)) {
        return Ok(());
    }
    confirm(run, &format!("apply the plan above to {}", heading(stack))).await
}

/// Returns whether a step cannot take anything away from anybody.
fn is_harmless(step: &Step) -> bool {
    step.action == Action::Create || step.is_renewal()
}

async fn apply(
    run: &Run,
    stack: &Stack,
    observed: &ObservedStack,
    plan: &Plan,
    options: PlanOptions,
    check: bool,
) -> Summary {
    let expires_at = options.tags.get(EXPIRES_TAG).cloned().filter(|at| at != NO_EXPIRY);
    run.report.expect(plan.pending().count());
    let outcome: Outcome = observed.apply(plan, options, &run.interrupt, &run.reporter()).await;
    run.report.clear();
    let complete = outcome.is_complete();
    let mut summary = Summary::new("up", stack.name(), Status::Done);
    summary.outputs = peersync_operations::places(stack, &outcome.outputs, expires_at);
    if complete && check {
        summary.trouble = answers(run, stack, &outcome).await;
    }
    let mut summary = summary.with_outcome(outcome);
    if summary.trouble.is_some() {
        summary.status = Status::Failed;
    }
    summary
}

/// Checks that the page and the API answer, and returns what went wrong, if anything.
async fn answers(run: &Run, stack: &Stack, outcome: &Outcome) -> Option<Problem> {
    let progress = Progress::of_nobody(run.reporter());
    let busy = run.report.busy("checking that the page and the API answer");
    let checked = until_stopped(&run.interrupt, peersync_operations::check(stack, &outcome.outputs, &progress)).await;
    drop(busy);
    match checked.and_then(|checked| checked) {
        Ok(urls) => {
            run.report.event(&serde_json::json!({ "event": "checked", "urls": urls }));
            None
        }
        // Everything is applied: stopping now only ends the wait.
        Err(DeployError::Stopped) => {
            run.report.warning("stopped while checking that the page and the API answer; all changes are applied");
            None
        }
        Err(error) => Some(error.problem()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peersync_engine::{Address, Changes, FieldChange, Reason};

    fn step(action: Action, fields: &[&str]) -> Step {
        let change = |field: &&str| FieldChange {
            field: (*field).to_owned(),
            old: "2027-01-01T00:00:00Z".into(),
            new: "2027-01-02T00:00:00Z".into(),
            reason: Reason::Unknown,
        };
        let changes = Changes::from_iter(fields.iter().map(change));
        Step::new(Address::new("table", "Users"), action, changes)
    }

    #[test]
    fn unsuitable_programs_are_refused_on_aws_and_warned_about_on_emulators() {
        let unsuitable = || vec![ResourceError::new("the program `api` does not run").caused_by("glibc").hint("fix")];
        let refused = refuse(unsuitable(), false).err().map(|error| error.render());
        assert_eq!(refused.as_deref(), Some("error: the program `api` does not run\n  Caused by: glibc\nhint: fix"));
        let warned = refuse(unsuitable(), true).ok();
        assert_eq!(warned, Some(vec!["the program `api` does not run: glibc; fix".to_owned()]));
        assert_eq!(refuse(Vec::new(), false).ok(), Some(Vec::new()));
    }

    #[test]
    fn only_creations_and_expiry_renewals_are_harmless() {
        assert!(is_harmless(&step(Action::Create, &["ttl"])));
        assert!(is_harmless(&step(Action::Update, &["tags.peersync:expires-at", "tags.peersync:expires-by"])));
        assert!(!is_harmless(&step(Action::Update, &["tags.peersync:expires-at", "ttl"])));
        assert!(!is_harmless(&step(Action::Replace, &["tags.peersync:expires-at"])));
        assert!(!is_harmless(&step(Action::Delete, &[])));
    }
}
