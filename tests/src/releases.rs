//! Other releases of the pages, published into the bucket of a stack by the same code as `up`.

use std::sync::Arc;

use peersync_config::Config;
use peersync_deploy::artifacts;
use peersync_engine::plan::{plan_step, tags_of};
use peersync_engine::{ApplyContext, Outputs, PlanOptions, Progress, SharedReads, Silent, Step};
use peersync_resources::kinds::s3_objects;
use peersync_resources::{Artifacts, Page, Stack, catalog};

use crate::clients::Clients;

/// Publishes the deployer's pages with other contents of some files, as an `up` of another version. The bucket must exist.
/// `other` returns the new text of the file with this name and text, if it has one. Returns what was done.
pub async fn publish(clients: Clients, config: Config, other: impl Fn(&str, &str) -> Option<String>) -> Step {
    let identity = clients.identity().await.expect("the emulator knows who asks");
    let page = |page: &Page| {
        let changed = std::str::from_utf8(page.content).ok().and_then(|text| other(page.key, text));
        changed.map_or(*page, |text| Page { key: page.key, content: text.leak().as_bytes() })
    };
    let pages = artifacts::without_programs().pages.iter().map(page).collect();
    let artifacts: &'static Artifacts = Box::leak(Box::new(Artifacts { pages, ..Artifacts::default() }));
    let stack = Arc::new(Stack::new(config, clients, identity, artifacts));
    let graph = catalog::graph(&stack).expect("the graph has no cycle");
    let objects = graph.resource(&s3_objects::address()).expect("the pages are a resource");
    let live = objects.observe(&SharedReads::default()).await.expect("the bucket can be read");
    let outputs = Outputs::default();
    let options = PlanOptions { tags: stack.tags(), ..PlanOptions::default() };
    let step = plan_step(objects.as_ref(), live.as_ref(), &outputs, &options);
    let tags = tags_of(objects.as_ref(), &outputs, &options.tags);
    let progress = Progress::new(s3_objects::address(), Arc::new(Silent));
    let context = ApplyContext { outputs: &outputs, tags: &tags, progress: &progress };
    let done = match &live {
        Some(live) => objects.update(&context, live, &step.changes).await,
        None => objects.create(&context).await,
    };
    done.unwrap_or_else(|error| panic!("{error}: {:?}", error.causes()));
    step
}
