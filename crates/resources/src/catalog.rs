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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use peersync_config::Config;

    /// The regions, of which the first is part of the second's name.
    const REGIONS: [&str; 2] = ["eu-west-1", "eu-west-12"];
    /// The kinds whose names are global to the account or to AWS.
    const GLOBAL: [&str; 8] = [
        "cloudfront_distribution",
        "dashboard",
        "iam_role",
        "instance_profile",
        "origin_access_control",
        "s3_bucket",
        "s3_bucket_policy",
        "s3_objects",
    ];
    /// The kinds that several stacks share, and those whose names are within another resource.
    const NOT_OWN: [&str; 4] = ["api_account", "api_stage", "response_headers_policy", "s3_program"];

    /// Returns the names of all resources of a stack, each with its namespace.
    async fn names((name, stage, region): &Named) -> BTreeSet<(&'static str, &'static str, String)> {
        let mut config = Config { stage: stage.clone(), ..Config::default() };
        config.stack.name = name.clone();
        let mut stack = Arc::unwrap_or_clone(Stack::for_tests(config).await);
        let region = REGIONS.get(*region).copied().unwrap_or_default();
        stack.clients.region = region.to_owned();
        let graph = graph(&Arc::new(stack)).expect("the resources form a graph");
        let own = graph.order().iter().filter(|address| !NOT_OWN.contains(&address.kind));
        let named = own.filter_map(|address| Some((address.kind, graph.resource(address)?.name()?)));
        named.map(|(kind, name)| (kind, if GLOBAL.contains(&kind) { "" } else { region }, name)).collect()
    }

    /// A stack: name, stage and the index of its region.
    type Named = (String, String, usize);

    /// Returns a strategy for two stacks whose names consist of words that are parts of resources' names too. Most are
    /// divisions of the same text, with or without its last word.
    fn pairs() -> impl Strategy<Value = (Named, Named)> {
        let word = prop::sample::select(vec!["a", "dev", "signup", "errors", "signal", "system", "relay", "eu", "1"]);
        let cut = any::<prop::sample::Index>;
        let parts = (prop::collection::vec(word, 3..=5), "-{1,2}", cut(), cut(), any::<bool>(), 0_usize..2, 0_usize..2);
        let pairs = parts.prop_map(|(words, hyphens, cut, other_cut, whole, region, other_region)| {
            let divided = |words: &[&str], cut: prop::sample::Index, region| {
                let (name, stage) = words.split_at(1 + cut.index(words.len() - 1));
                (name.join(&hyphens), stage.join("-"), region)
            };
            let fewer = words.len() - usize::from(!whole);
            (divided(&words, cut, region), divided(words.get(..fewer).unwrap_or(&words), other_cut, other_region))
        });
        let fits = |(name, stage, _): &Named| name.len() <= 20 && stage.len() <= 20;
        pairs.prop_filter("two stacks with short names", move |(one, other)| fits(one) && fits(other) && one != other)
    }

    proptest! {
        #[test]
        fn resources_of_different_stacks_share_no_name((first, second) in pairs()) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
            let (one, other) = (runtime.block_on(names(&first)), runtime.block_on(names(&second)));
            prop_assert!(one.len() > 30, "{}", one.len());
            prop_assert!(one.is_disjoint(&other), "{:?}", one.intersection(&other).collect::<Vec<_>>());
        }
    }
}
