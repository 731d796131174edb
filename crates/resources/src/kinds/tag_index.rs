//! AWS's index of tags: one call tells those of many resources whose own services take a call for each, and few in a second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_resourcegroupstagging::types::{ResourceTagMapping, Tag, TagFilter};
use tokio::time::timeout;

use crate::stack::{STACK_TAG, Stack};
use peersync_aws::Context as _;
use peersync_engine::{ResourceError, SharedReads, Tags};

/// The name of the read that all resources share.
const NAME: &str = "tag_index";
/// How long it may take: a company's network may lead to the services that it knows, and not to this one.
const DEADLINE: Duration = Duration::from_secs(5);
/// The types of resources whose tags are looked up in it.
const TYPES: [&str; 2] = ["cloudwatch:alarm", "logs:log-group"];

/// The tags of the stack's resources by ARN. It may be late by minutes.
#[derive(Clone, Debug, Default)]
pub(super) struct TagIndex(Arc<HashMap<String, Tags>>);

impl TagIndex {
    /// Returns the tags of a resource; `None` if the index does not know it.
    pub(super) async fn of(self, arn: String) -> Option<Tags> {
        self.0.get(&arn).cloned()
    }
}

/// Returns the index, as of the graph's shared read. It is empty if it cannot be read soon, as with a role that may not, or
/// an emulator that has none: then each resource is asked.
pub(super) async fn read(stack: &Stack, reads: &SharedReads) -> TagIndex {
    let read = async { Ok(timeout(DEADLINE, list(stack)).await.ok().and_then(Result::ok).unwrap_or_default()) };
    reads.get(NAME, read).await.unwrap_or_default()
}

async fn list(stack: &Stack) -> Result<TagIndex, ResourceError> {
    let ours = TagFilter::builder().key(STACK_TAG).values(stack.name()).build();
    let call = stack.clients.tagging.get_resources().tag_filters(ours);
    let call = call.set_resource_type_filters(Some(TYPES.map(str::to_owned).to_vec()));
    let found = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let found = found.context("failed to read the index of tags")?;
    Ok(TagIndex(Arc::new(found.into_iter().filter_map(entry).collect())))
}

fn entry(found: ResourceTagMapping) -> Option<(String, Tags)> {
    let pair = |tag: Tag| (tag.key, tag.value);
    Some((found.resource_arn?, found.tags.unwrap_or_default().into_iter().map(pair).collect()))
}
