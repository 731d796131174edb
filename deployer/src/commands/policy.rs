//! The command `policy`: prints the permissions that the deployer's role needs, and no others.

mod document;
mod permissions;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use self::document::{LONGEST_MANAGED, document, length, parts};
use self::permissions::{disks, permissions};
use super::{CommandError, Context, Exit, output};
use crate::cli::{PolicyArgs, Purpose};
use peersync_resources::stack::Stack;

/// Replaces an account or region that is not known.
const ANY: &str = "*";
/// How long looking up the account may take: the policy is most useful before there are credentials.
const IDENTITY_DEADLINE: Duration = Duration::from_secs(5);

/// Prints the policy.
///
/// # Errors
/// Fails if the configuration has problems.
pub async fn run(context: &Context, args: &PolicyArgs) -> Result<Exit, CommandError> {
    let stack = covered(&*stack(context, args).await?, context, args);
    let mut all = permissions(&stack, args.purpose);
    if args.purpose == Purpose::Up {
        all.extend(args.ebs_key.iter().flat_map(|key| disks(key)));
    }
    let policy = document(&stack, &all);
    let parts = parts(&policy);
    let printed = match args.part {
        None => &policy,
        Some(number) => number.checked_sub(1).and_then(|index| parts.get(index)).ok_or_else(|| {
            CommandError::usage("the policy does not have this part")
                .caused_by(format!("--part {number}: it has {}", parts.len()))
                .hint(format!("give a number from 1 to {}", parts.len()))
        })?,
    };
    output::data(&serde_json::to_string_pretty(printed).unwrap_or_default());
    notes(&stack, printed, parts.len()).iter().for_each(|note| output::note(note));
    Ok(Exit::Done)
}

/// Returns the stack, with a pattern for a name if the policy is to cover several.
fn covered(stack: &Stack, context: &Context, args: &PolicyArgs) -> Stack {
    let mut stack = stack.clone();
    if let Some(stages) = &args.stages {
        stack.config.stage.clone_from(stages);
    } else if args.purpose == Purpose::Teardown && context.named_stage.is_none() {
        // It removes every stack that has expired, whatever its name.
        stack.config.stack.name = ANY.to_owned();
        stack.config.stage = ANY.to_owned();
        stack.config.site.bucket = None;
    }
    stack
}

/// Returns the stack in its account if it can be looked up, otherwise in any account.
async fn stack(context: &Context, args: &PolicyArgs) -> Result<Arc<Stack>, CommandError> {
    if let Some(account) = &args.account {
        return context.offline_stack(account, ANY).await;
    }
    let stack = context.offline_stack(ANY, ANY).await?;
    if stack.clients.region == ANY {
        return Ok(stack);
    }
    match tokio::time::timeout(IDENTITY_DEADLINE, stack.clients.identity()).await {
        Ok(Ok(identity)) => Ok(Arc::new(Stack { identity, ..(*stack).clone() })),
        _ => Ok(stack),
    }
}

fn notes(stack: &Stack, policy: &Value, parts: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if stack.identity.account == ANY {
        notes.push("note: the account is unknown, so the policy covers any; add `--account 123456789012`".to_owned());
    }
    if stack.clients.region == ANY {
        notes.push("note: the region is unknown, so the policy covers any; add `--region eu-central-1`".to_owned());
    }
    let length = length(policy);
    if length > LONGEST_MANAGED {
        notes.push(format!(
            "note: {length} characters are too many for one managed policy ({LONGEST_MANAGED}): create {parts} of them, \
             with `--part 1` to `--part {parts}`"
        ));
    }
    notes
}

#[cfg(test)]
mod tests;
