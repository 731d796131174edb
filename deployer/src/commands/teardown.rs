//! The command `teardown --expired`: removes every expired stack of this account and region, or those of one stage, for
//! use in scheduled jobs.

use peersync_engine::{SharedReads, text};
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::confirm::confirm;
use super::down::{exit_of, remove, with_end};
use super::run::{Run, heading};
use super::{CommandError, Context, Exit, lease};
use crate::cli::TeardownArgs;
use crate::report::Summary;
use peersync_aws::{Clients, Identity};
use peersync_config::Span;
use peersync_operations::{DeployedStack, Removal, clean_all_leases, find_stacks, until_stopped};
use peersync_resources::stack::Stack;

/// Runs the command.
///
/// # Errors
/// Fails without deleting anything if AWS denies access or the user does not confirm.
pub async fn run(context: &Context, args: &TeardownArgs) -> Result<Exit, CommandError> {
    let run = Run::new(context);
    let clients = context.clients().await?;
    let identity = until_stopped(&run.interrupt, run.report.attributed(clients.identity())).await??;
    run.name_place(context, Some(&clients.region), &identity)?;
    let global = SharedReads::default();
    let search = run.report.attributed(find_stacks(&clients, &identity, &global));
    let found = until_stopped(&run.interrupt, search).await??;
    let is_named =
        |stack: &DeployedStack| context.named_stage.as_ref().is_none_or(|stage| stage.as_str() == stack.stage);
    let (protected, expired): (Vec<_>, Vec<_>) = found
        .into_iter()
        .filter(|stack| is_named(stack) && stack.is_expired(SystemTime::now()))
        .partition(|stack| stack.protected);
    for stack in &protected {
        run.report.warning(&format!("{} has expired but is kept: it is protected by `stack.protect`", stack.name));
    }
    show(&run, &clients, &expired);
    if !args.dry_run && !expired.is_empty() && !args.yes {
        let number = text::count(expired.len(), "stack");
        confirm(&run, &format!("remove {number} in {}, account {}", clients.region, identity.account)).await?;
    }
    let mut exits = Vec::new();
    if !args.dry_run {
        for stack in &expired {
            if run.interrupt.stop.is_cancelled() {
                exits.push(Exit::Remains);
                break;
            }
            exits.push(remove_one(&run, stack, &clients, &identity, args.wait).await);
        }
    }
    if !args.dry_run {
        let cleaned = run.report.attributed(clean_all_leases(&clients));
        if let Err(error) = until_stopped(&run.interrupt, cleaned).await? {
            run.report.warning(&format!("what killed runs left of their leases could not be deleted: {error}"));
        }
    }
    let worst = [Exit::Remains, Exit::Failed].into_iter().find(|exit| exits.contains(exit)).unwrap_or(Exit::Done);
    run.report.event(&result(&run, &expired, &protected, args.dry_run, worst));
    Ok(worst)
}

fn show(run: &Run, clients: &Clients, expired: &[DeployedStack]) {
    if expired.is_empty() {
        run.report.data(&format!("No stack in {} has expired.", clients.region));
    }
    for stack in expired {
        let since = stack.expires_at.as_deref().unwrap_or("?");
        run.report.data(&format!("{} (stage {}) expired at {since}.", stack.name, stack.stage));
    }
}

/// Removes one stack. A failure is shown and does not prevent the removal of the others.
async fn remove_one(
    run: &Run,
    found: &DeployedStack,
    clients: &Clients,
    identity: &Identity,
    wait: Option<Span>,
) -> Exit {
    let stack = Arc::new(found.to_stack(clients, identity, crate::artifacts::without_programs()));
    match remove_alone(run, &stack, wait).await {
        Ok(exit) => exit,
        Err(error) => {
            // The commands in its hint are for this stack, not for all that the user named.
            let error = error.completed(&run.report.invocation_for(&found.stage));
            run.report.warning(&format!("{} could not be removed:\n{}", stack.name(), error.render()));
            Exit::Failed
        }
    }
}

/// Takes the lease on a stack and removes it.
async fn remove_alone(run: &Run, stack: &Arc<Stack>, wait: Option<Span>) -> Result<Exit, CommandError> {
    let lease = lease::take(run, stack, "teardown", wait).await?;
    let removed = try_remove(run, stack).await;
    let ended = lease::give_back(run, lease).await;
    let Some(summary) = with_end(removed, ended)? else { return Ok(Exit::Done) };
    let exit = exit_of(&summary);
    run.report.summary_as("stack", summary);
    Ok(exit)
}

/// Removes a stack, and returns `None` if it has not expired any more.
async fn try_remove(run: &Run, stack: &Arc<Stack>) -> Result<Option<Summary>, CommandError> {
    let removal = Removal::prepare(stack.clone(), &run.reporter(), &run.interrupt).await?;
    // Somebody may have renewed the expiry since the stack was found.
    let current = DeployedStack { expires_at: removal.expires_at(), ..DeployedStack::default() };
    if !removal.plan.is_empty() && !current.is_expired(SystemTime::now()) {
        run.report.warning(&format!("{} is kept: its expiry was renewed or lifted in the meantime", stack.name()));
        return Ok(None);
    }
    run.report.destruction(&heading(stack), &removal.plan);
    remove(run, stack, removal, "teardown", true).await.map(Some)
}

fn result(run: &Run, expired: &[DeployedStack], protected: &[DeployedStack], dry_run: bool, exit: Exit) -> Value {
    let status = match exit {
        Exit::Remains => "remaining",
        Exit::Failed => "failed",
        _ if expired.is_empty() || dry_run => "nothing_to_do",
        _ => "done",
    };
    let describe = |stack: &DeployedStack| json!({ "stack": stack.name, "stage": stack.stage, "expires_at": stack.expires_at, "protected": stack.protected });
    json!({
        "event": "result",
        "command": "teardown",
        "status": status,
        "dry_run": dry_run,
        "expired": expired.iter().map(describe).collect::<Vec<_>>(),
        "protected": protected.iter().map(describe).collect::<Vec<_>>(),
        "retried": run.report.retries().iter().map(|retried| u64::from(retried.count)).sum::<u64>(),
        "elapsed_ms": run.report.elapsed_ms(),
    })
}
