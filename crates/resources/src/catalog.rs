//! The catalogue builds the graph of all resources of a stack.

use std::sync::Arc;

use peersync_engine::{Graph, GraphError};

use crate::digests::DigestStore;
use crate::kinds::{KINDS, Kind};
use crate::permission::Permission;
use crate::stack::Stack;

/// Returns the graph of all resources of the stack, except those of services that the endpoint lacks. Each of them keeps
/// the digest of what was last applied, those that cannot carry tags in a parameter.
///
/// # Errors
/// Invalid dependencies between the resources.
pub fn graph(stack: &Arc<Stack>) -> Result<Graph, GraphError> {
    let digests = DigestStore::new(stack);
    let resources = KINDS.iter().flat_map(|kind| (kind.instances)(stack)).map(|resource| digests.keep_for(resource));
    let graph = Graph::new(resources.collect())?;
    if stack.clients.absent.is_empty() {
        return Ok(graph);
    }
    let offered: Vec<&str> = offered_kinds(stack).map(|kind| kind.name).collect();
    Ok(graph.restricted(|address| offered.contains(&address.kind)))
}

/// Returns the kinds whose services the endpoint offers.
pub fn offered_kinds(stack: &Stack) -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(|kind| is_offered(stack, kind))
}

/// Returns whether the endpoint offers every service that the kind calls.
fn is_offered(stack: &Stack, kind: &Kind) -> bool {
    let absent = &stack.clients.absent;
    let needs_absent = |permission: &Permission| {
        let services = permission.actions.iter().filter_map(|action| action.split_once(':'));
        services.map(|(service, _)| service).any(|service| absent.contains_key(service))
    };
    !(kind.permissions)(stack).iter().any(needs_absent)
}
