//! What a stack has beside its graph: resources that carry its tags, but that its configuration does not describe, such as
//! a bucket that was renamed or a distribution that an interrupted run created twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use peersync_engine::{Address, Failure, Observation, Ownership, ResourceError, SharedReads, Tags};
use peersync_resources::Stack;
use peersync_resources::catalog;
use peersync_resources::search::{Candidate, Leftover, LeftoverOf, Scope, Search, with_tags};

/// The maximum number of tag reads that run at once for each kind.
pub(crate) const PARALLEL: usize = 16;

/// A resource that carries the tags of the stack.
struct Found {
    kind: &'static str,
    id: String,
    tags: Tags,
    build: LeftoverOf,
}

/// The resources that a search has found, and the kinds that could not be searched.
#[derive(Default)]
pub(crate) struct Leftovers {
    found: Vec<Found>,
    /// The kinds that could not be searched, each with the reason.
    pub(crate) errors: Vec<(Address, ResourceError)>,
}

impl Leftovers {
    /// Searches for everything that carries the tags of the stack, of the kinds of which its graph may miss one.
    pub(crate) async fn find(stack: &Arc<Stack>) -> Self {
        let searches = catalog::offered_kinds(stack).filter_map(|kind| Some((kind.name, kind.search?)));
        let searches = searches.filter_map(|(kind, search)| Some((kind, search, search.leftover()?)));
        let results = join_all(searches.map(|(kind, search, build)| async move {
            (
                kind,
                tagged(stack, search)
                    .await
                    .map(|all| all.into_iter().map(move |(id, tags)| Found { kind, id, tags, build })),
            )
        }));
        let mut leftovers = Self::default();
        for (kind, result) in results.await {
            match result {
                Ok(found) => leftovers.found.extend(found),
                Err(error) if is_left_out(stack, &error) => {}
                Err(error) => leftovers.errors.push((Address::new(kind, "*"), error)),
            }
        }
        leftovers
    }

    /// Returns what the observation does not contain.
    pub(crate) fn beside(self, stack: &Arc<Stack>, observation: &Observation) -> Vec<Leftover> {
        let live =
            observation.live.iter().filter_map(|(address, live)| Some((address.kind, live.as_ref()?.id.as_str())));
        let known: BTreeSet<(&str, &str)> = live.collect();
        let unknown = self.found.into_iter().filter(|one| !known.contains(&(one.kind, one.id.as_str())));
        unknown.map(|one| Leftover::new((one.build)(stack, &one.id), &one.id, one.tags)).collect()
    }
}

/// Returns the ids and tags of the resources of one kind that carry the stack's tags.
async fn tagged(stack: &Stack, search: &dyn Search) -> Result<Vec<(String, Tags)>, ResourceError> {
    let global = SharedReads::default();
    let scope = Scope { clients: &stack.clients, identity: &stack.identity, global: &global };
    let (scope, name) = (&scope, stack.name());
    let candidates = search.candidates(scope).await?.into_iter();
    let candidates = candidates.filter(|one| one.stack.as_ref().is_none_or(|stack| *stack == name));
    let reads = stream::iter(candidates.map(|one| with_tags(search, scope, one)));
    let all: Vec<Option<Candidate>> = reads.buffer_unordered(PARALLEL).try_collect().await?;
    let tagged = all.into_iter().flatten().map(|one| (one.id, one.tags.unwrap_or_default()));
    Ok(tagged.filter(|(_, tags)| stack.ownership(tags) == Ownership::Ours).collect())
}

/// Returns whether what cannot be read is left out: an AWS emulator lacks the service. One on this computer may also answer
/// what AWS never would.
pub(crate) fn is_left_out(stack: &Stack, error: &ResourceError) -> bool {
    stack.clients.lack(error) || (error.failure == Failure::Other && stack.clients.emulated)
}
