//! What the kinds of EC2 share: tags, and how policies name them.

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};

use crate::stack::{MANAGED_BY, MANAGED_BY_TAG, STACK_TAG, Stack};
use peersync_aws::Context as _;
use peersync_engine::{ApplyContext, Ownership, ResourceError, Tags};

/// Everything that the changing calls of all kinds are about. EC2 gives the identifiers, and each of its actions knows
/// its own kinds only: one list for all is no wider than one for each, and much shorter.
pub(super) fn arns(stack: &Stack) -> Vec<String> {
    let kinds = ["elastic-ip", "instance", "network-interface", "security-group", "subnet", "volume", "vpc"];
    // Images are nobody's: their ARN has no account.
    let image = format!("arn:{}:ec2:{}::image/*", stack.identity.partition, stack.clients.region);
    kinds.iter().map(|kind| stack.arn("ec2", &format!("{kind}/*"))).chain([image]).collect()
}

/// Tags as EC2 gives them.
pub(super) fn tags(tags: &[Tag]) -> Tags {
    let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    tags.iter().filter_map(pair).collect()
}

/// Tags as EC2 wants them.
pub(super) fn sdk_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags for the call that creates.
pub(super) fn tag_specification(kind: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(sdk_tags(tags))).build()
}

/// Filters that find what is of this stack. Endpoints that stand for AWS ignore some of them: what is found counts only
/// where [`is_ours`] says so.
pub(super) fn of_stack(stack: &Stack) -> Vec<Filter> {
    let filter = |key: &str, value: &str| Filter::builder().name(format!("tag:{key}")).values(value).build();
    vec![filter(STACK_TAG, &stack.name()), filter(MANAGED_BY_TAG, MANAGED_BY)]
}

/// Whether what was found carries the tags of this stack.
pub(super) fn is_ours(stack: &Stack, found: &[Tag]) -> bool {
    stack.ownership(&tags(found)) == Ownership::Ours
}

/// Puts the tags of the context on these resources.
pub(super) async fn tag(stack: &Stack, context: &ApplyContext<'_>, ids: &[&str]) -> Result<(), ResourceError> {
    let ids = ids.iter().map(|id| (*id).to_owned()).collect();
    let call = stack.clients.ec2.create_tags().set_resources(Some(ids)).set_tags(Some(sdk_tags(context.tags)));
    call.send().await.context("failed to set the tags").map(|_| ())
}
