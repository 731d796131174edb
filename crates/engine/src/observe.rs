//! Reads all resources at once. Names do not depend on other resources, so the reads need no order.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::progress::{Event, Progress, Reporter};
use super::{Address, Graph, KnownTags, Live, ResourceError, SharedReads};

/// What was found, and what could not be read.
#[derive(Default)]
pub struct Observation {
    /// Every resource that could be read; `None` if it does not exist.
    pub live: BTreeMap<Address, Option<Live>>,
    /// The resources that could not be read, each with the reason.
    pub errors: Vec<(Address, ResourceError)>,
    /// Tags that the next observation need not read again.
    pub known_tags: KnownTags,
}

impl Observation {
    /// Returns the resource as it was found, or `None` if it does not exist or could not be read.
    pub fn get(&self, address: &Address) -> Option<&Live> {
        self.live.get(address).and_then(Option::as_ref)
    }
}

/// Reads all resources of the graph in parallel.
pub async fn observe(graph: &Graph, reporter: &Arc<dyn Reporter>) -> Observation {
    observe_after(graph, KnownTags::default(), reporter).await
}

/// Reads all resources of the graph in parallel, but for tags that an observation before has read from the same resources.
/// What this one finds counts only if it is what that one found.
pub async fn observe_after(graph: &Graph, known: KnownTags, reporter: &Arc<dyn Reporter>) -> Observation {
    reporter.event(&Event::ObserveStarted { total: graph.len() });
    let shared = SharedReads::after(known);
    let mut reads: FuturesUnordered<_> = graph
        .order()
        .iter()
        .filter_map(|address| graph.resource(address))
        .map(|resource| {
            let address = resource.address().clone();
            let progress = Progress::new(address.clone(), reporter.clone());
            let read = progress.scope(resource.observe(&shared));
            async move { (address, read.await) }
        })
        .collect();
    let mut observation = Observation::default();
    while let Some((address, result)) = reads.next().await {
        match result {
            Ok(live) => {
                reporter.event(&Event::Observed { address: address.clone() });
                observation.live.insert(address, live);
            }
            Err(error) => observation.errors.push((address, error)),
        }
    }
    drop(reads);
    observation.errors.sort_by(|(first, _), (second, _)| first.cmp(second));
    observation.known_tags = shared.into_known_tags();
    observation
}
