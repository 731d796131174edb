//! Finds the distribution of a stack, for all kinds of CloudFront. Distributions have no names, and are global to the
//! account.

use aws_sdk_cloudfront::types::DistributionSummary;

use crate::stack::{DNS_SUFFIX, Stack};
use peersync_aws::{Clients, Context as _};
use peersync_engine::{ResourceError, SharedReads};

/// Finds the stack's distribution, see [`choose`].
pub(super) async fn find(stack: &Stack) -> Result<Option<DistributionSummary>, ResourceError> {
    Ok(choose(stack, list(&stack.clients).await?))
}

/// Does the same as of the graph's shared read.
pub(super) async fn found(stack: &Stack, reads: &SharedReads) -> Result<Option<DistributionSummary>, ResourceError> {
    Ok(choose(stack, listed(stack, reads).await?))
}

/// Returns whether all distributions for which `uses` returns `true` are this stack's. What earlier versions created has
/// no region in its name, and so belongs to the stack whose distribution uses it.
pub(super) async fn is_used_by_us_alone(
    stack: &Stack,
    reads: &SharedReads,
    uses: impl Fn(&DistributionSummary) -> bool,
) -> Result<bool, ResourceError> {
    let all = listed(stack, reads).await?;
    let ours = choose(stack, all.clone()).map(|found| found.id);
    Ok(all.into_iter().filter(uses).all(|one| Some(one.id) == ours))
}

/// Returns whether a distribution sends the headers of a response-headers policy, for whatever paths.
pub(crate) fn uses_policy(distribution: &DistributionSummary, id: &str) -> bool {
    let pages = distribution.default_cache_behavior.as_ref().and_then(|pages| pages.response_headers_policy_id());
    let others = distribution.cache_behaviors.iter().flat_map(|behaviors| behaviors.items());
    others.map(|behavior| behavior.response_headers_policy_id()).chain([pages]).any(|used| used == Some(id))
}

async fn listed(stack: &Stack, reads: &SharedReads) -> Result<Vec<DistributionSummary>, ResourceError> {
    reads.get("distributions", list(&stack.clients)).await
}

/// Lists the distributions of the account.
pub(super) async fn list(clients: &Clients) -> Result<Vec<DistributionSummary>, ResourceError> {
    let pages = clients.cloudfront.list_distributions().into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.context("failed to list the distributions")?;
    Ok(pages.into_iter().filter_map(|page| page.distribution_list?.items).flatten().collect())
}

/// Returns the distribution with the stack's mark as its comment. Otherwise the one with the mark of an earlier version,
/// which tells no region, if it reads a bucket in the stack's region; otherwise one that reads the stack's bucket,
/// because somebody may have changed the comment.
fn choose(stack: &Stack, mut all: Vec<DistributionSummary>) -> Option<DistributionSummary> {
    let (mark, earlier_mark) = (stack.global_mark(), stack.mark());
    let bucket = bucket_domain(stack);
    let in_our_region = bucket_domain_suffix(stack);
    let reads = |one: &DistributionSummary, matches: &dyn Fn(&str) -> bool| {
        one.origins.iter().flat_map(|origins| &origins.items).any(|origin| matches(&origin.domain_name))
    };
    let position = all
        .iter()
        .position(|one| one.comment == mark)
        .or_else(|| {
            all.iter()
                .position(|one| one.comment == earlier_mark && reads(one, &|domain| domain.ends_with(&in_our_region)))
        })
        .or_else(|| all.iter().position(|one| reads(one, &|domain| domain == bucket)))?;
    Some(all.swap_remove(position))
}

/// Returns the domain of the bucket as an origin.
pub(super) fn bucket_domain(stack: &Stack) -> String {
    format!("{}{}", stack.bucket(), bucket_domain_suffix(stack))
}

/// Returns the end of the domains of all buckets in the stack's region.
fn bucket_domain_suffix(stack: &Stack) -> String {
    format!(".s3.{}.{}", stack.clients.region, DNS_SUFFIX)
}
