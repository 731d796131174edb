//! Helpers that the EC2 kinds share: ARNs, filters and tags.

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};

use crate::stack::{MANAGED_BY, MANAGED_BY_TAG, STACK_TAG, Stack};
use peersync_aws::Context as _;
use peersync_engine::{ApplyContext, Changes, Ownership, ResourceError, Tags};

/// The tag in which a host reports how far its installation is; the host's role lets it write this one.
pub(super) const REPORT_TAG: &str = "peersync:ready";

/// Returns the ARNs of all resources of these types in the stack's region; EC2 assigns the identifiers.
pub(super) fn arns(stack: &Stack, types: &[&str]) -> Vec<String> {
    types.iter().map(|resource| stack.arn("ec2", &format!("{resource}/*"))).collect()
}

/// Converts tags from EC2's form.
pub(super) fn tags(tags: &[Tag]) -> Tags {
    let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    tags.iter().filter_map(pair).collect()
}

/// Returns the tags in the form of calls that create resources.
pub(super) fn tag_specification(kind: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(sdk_tags!(Tag, tags))).build()
}

/// Returns a filter for resources of any stack.
pub(super) fn of_any_stack() -> Filter {
    filter(MANAGED_BY_TAG, MANAGED_BY)
}

/// Returns filters for resources of this stack. AWS emulators ignore some filters, so check the results with
/// [`is_ours`].
pub(super) fn of_stack(stack: &Stack) -> Vec<Filter> {
    vec![filter(STACK_TAG, &stack.name()), filter(MANAGED_BY_TAG, MANAGED_BY)]
}

fn filter(key: &str, value: &str) -> Filter {
    Filter::builder().name(format!("tag:{key}")).values(value).build()
}

/// Returns whether these tags are those of a resource of this stack.
pub(super) fn is_ours(stack: &Stack, found: &[Tag]) -> bool {
    stack.ownership(&tags(found)) == Ownership::Ours
}

/// Exchanges the tags of these resources, which carry the same.
pub(super) async fn exchange_tags(
    stack: &Stack,
    context: &ApplyContext<'_>,
    changes: &Changes,
    ids: Vec<String>,
) -> Result<(), ResourceError> {
    let ec2 = &stack.clients.ec2;
    let remove = |keys: Vec<String>| async {
        let tags = keys.into_iter().map(|key| Tag::builder().key(key).build()).collect();
        let call = ec2.delete_tags().set_resources(Some(ids.clone())).set_tags(Some(tags));
        call.send().await.context("failed to remove tags").map(|_| ())
    };
    let put = async {
        let call = ec2.create_tags().set_resources(Some(ids.clone())).set_tags(Some(sdk_tags!(Tag, context.tags)));
        call.send().await.context("failed to set the tags").map(|_| ())
    };
    super::exchange_tags(changes, remove, put).await
}
