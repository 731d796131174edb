//! The command `down`: removes the stack. Resources that it does not manage are kept, whatever their names.

use std::sync::Arc;

use super::confirm::{can_ask, confirm};
use super::run::{Run, heading};
use super::{CommandError, Context, Exit, lease};
use crate::cli::DownArgs;
use crate::report::{Status, Summary};
use peersync_engine::text;
use peersync_operations::{DeployError, Removal, Removed};
use peersync_resources::stack::Stack;

/// Runs the command.
///
/// # Errors
/// Fails without deleting anything if the stack is protected, AWS denies access, another run is changing the stack, the
/// user does not confirm, or the backup fails.
pub async fn run(context: &Context, args: &DownArgs) -> Result<Exit, CommandError> {
    let run = Run::new(context);
    run.name_configuration(context)?;
    let stack = run.stack(context).await?;
    loop {
        let removal = Removal::prepare(stack.clone(), &run.reporter(), &run.interrupt).await?;
        if removal.plan.is_empty() && nobody_works(&run, &stack).await? {
            let summary = remove(&run, &stack, removal, "down", !args.no_backup).await?;
            run.report.summary(summary);
            return Ok(Exit::Done);
        }
        if !removal.plan.is_empty() {
            run.report.destruction(&heading(&stack), &removal.plan);
        }
        if !args.yes && !removal.plan.is_empty() {
            if can_ask(&run) {
                lease::refuse_held(&run, &stack, args.wait).await?;
            }
            confirm(&run, &consequence(&stack, &removal)).await?;
        }
        let lease = lease::take(&run, &stack, "down", args.wait).await?;
        let removed = under_lease(&run, &stack, args, &removal).await;
        let ended = lease::give_back(&run, lease).await;
        if let Some(summary) = with_end(removed, ended)? {
            let exit = exit_of(&summary);
            run.report.summary(summary);
            return Ok(exit);
        }
    }
}

/// Returns whether no other run works on a stack of which nothing exists: it could have just begun.
async fn nobody_works(run: &Run, stack: &Stack) -> Result<bool, CommandError> {
    let holder = run.report.attributed(peersync_operations::clean_leases(stack)).await?;
    Ok(holder.is_none())
}

/// Reads the stack again, since until now another run could change it, and removes it. Returns `None` if there is more or
/// less to delete than the user has confirmed.
async fn under_lease(
    run: &Run,
    stack: &Arc<Stack>,
    args: &DownArgs,
    confirmed: &Removal,
) -> Result<Option<Summary>, CommandError> {
    let current = confirmed.prepare_again(&run.reporter(), &run.interrupt).await?;
    if current.plan != confirmed.plan {
        run.report.note("The stack has changed in the meantime.");
        if !args.yes {
            return Ok(None);
        }
        run.report.destruction(&heading(stack), &current.plan);
    }
    remove(run, stack, current, "down", !args.no_backup).await.map(Some)
}

/// Adds that the lease was lost, if it was, to how a removal ended.
///
/// # Errors
/// The lease was lost before anything was deleted, or the removal failed.
pub(super) fn with_end(
    removed: Result<Option<Summary>, CommandError>,
    ended: Result<(), DeployError>,
) -> Result<Option<Summary>, CommandError> {
    match (removed, ended) {
        (removed, Ok(())) => removed,
        (Ok(Some(mut summary)), Err(lost)) => {
            summary.trouble = Some(lost.problem());
            summary.status = Status::Failed;
            Ok(Some(summary))
        }
        (_, Err(lost)) => Err(lost.into()),
    }
}

fn consequence(stack: &Stack, removal: &Removal) -> String {
    let number = text::count(removal.plan.pending().count(), "resource");
    format!("delete {number} of {}", heading(stack))
}

/// Removes a stack after the user has confirmed, and returns a summary.
///
/// # Errors
/// Fails without deleting anything if the users' data could not be backed up.
pub(super) async fn remove(
    run: &Run,
    stack: &Stack,
    removal: Removal,
    command: &'static str,
    backup: bool,
) -> Result<Summary, CommandError> {
    for conflict in removal.unmanaged() {
        let (address, id, reason) = (&conflict.address, &conflict.id, &conflict.reason);
        run.report.warning(&format!("{address} ({id}) is kept: {reason}"));
    }
    for bucket in removal.kept_buckets() {
        run.report.warning(&format!(
            "the bucket {bucket} was adopted with files in it: only the pages are deleted from it, and it stays if it has \
             others"
        ));
    }
    let summary = Summary::new(command, stack.name(), Status::NothingToDo);
    if removal.plan.is_empty() {
        return Ok(summary);
    }
    if backup {
        for kept in removal.back_up(&run.reporter(), &run.interrupt).await? {
            run.report.event(&kept.json());
            if !run.report.is_json() {
                run.report.note(&run.report.invocation_for(&stack.config.stage).complete(&kept.explain()));
            }
        }
    }
    run.report.expect(removal.plan.pending().count());
    let Removed { outcome, remaining } = removal.execute(&run.reporter(), &run.interrupt).await?;
    let mut summary = summary.with_outcome(outcome);
    summary.remaining = remaining;
    if summary.status == Status::NothingToDo {
        summary.status = if summary.remaining.is_empty() { Status::Done } else { Status::Remaining };
    }
    Ok(summary)
}

/// Returns the exit code. What remains takes precedence over what failed: it is what the user has to check.
pub(super) fn exit_of(summary: &Summary) -> Exit {
    match summary.status {
        _ if !summary.remaining.is_empty() => Exit::Remains,
        Status::Done | Status::NothingToDo => Exit::Done,
        _ => Exit::Failed,
    }
}
