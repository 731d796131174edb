//! The command `down`: removes the stack. Resources that it does not manage are kept, whatever their names.

use super::confirm::confirm;
use super::run::{Run, heading};
use super::{CommandError, Context, Exit};
use crate::cli::DownArgs;
use crate::report::{Status, Summary};
use peersync_engine::text;
use peersync_operations::{Removal, Removed};
use peersync_resources::stack::Stack;

/// Runs the command.
///
/// # Errors
/// Fails without deleting anything if the stack is protected, AWS denies access, the user does not confirm, or the
/// backup fails.
pub async fn run(context: &Context, args: &DownArgs) -> Result<Exit, CommandError> {
    let run = Run::new(context);
    run.name_configuration(context)?;
    let stack = run.stack(context).await?;
    let removal = Removal::prepare(stack.clone(), &run.reporter(), &run.interrupt).await?;
    if !removal.plan.is_empty() {
        run.report.destruction(&heading(&stack), &removal.plan);
        if !args.yes {
            confirm(&run, &consequence(&stack, &removal)).await?;
        }
    }
    let summary = remove(&run, &stack, removal, "down", !args.no_backup).await?;
    let exit = exit_of(&summary);
    run.report.summary(summary);
    Ok(exit)
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
                run.report.note(&kept.explain());
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
