//! Finds out how the names of a deployed stack are formed.

use futures::future::try_join_all;

use peersync_config::Naming;
use peersync_engine::{Ownership, ResourceError, SharedReads};
use peersync_resources::Stack;
use peersync_resources::kinds::{Kind, dynamodb_table, log_group};
use peersync_resources::search::Scope;

/// Returns how the names of the stack are formed: as an earlier version did it, if that is how it was deployed; otherwise as
/// `stack` says. AWS is asked only if that makes a difference.
///
/// # Errors
/// Fails if AWS cannot tell, because the stack would be deployed a second time under other names.
pub async fn naming(stack: &Stack) -> Result<Naming, ResourceError> {
    let Some(earlier) = stack.under_other_names() else { return Ok(stack.naming) };
    for stack in [stack, &earlier] {
        if exists(stack).await? {
            return Ok(stack.naming);
        }
    }
    Ok(stack.naming)
}

/// Returns whether the stack has one of the resources that exist from its first second to its last.
async fn exists(stack: &Stack) -> Result<bool, ResourceError> {
    let lasting: [(Kind, String); 2] =
        [(log_group::KIND, log_group::last_name(stack)), (dynamodb_table::KIND, stack.named("Users"))];
    let scope = Scope { clients: &stack.clients, identity: &stack.identity, global: &SharedReads::default() };
    let reads = lasting.iter().filter_map(|(kind, id)| Some(kind.search?.tags(&scope, id)));
    let tags = try_join_all(reads).await?;
    Ok(tags.into_iter().flatten().any(|tags| stack.ownership(&tags) == Ownership::Ours))
}
