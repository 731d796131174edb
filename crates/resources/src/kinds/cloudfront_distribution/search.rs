//! Finds the distributions of PeerSync's stacks. A stack can have a second one if an answer was lost at the wrong moment.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Distribution, NAME};
use crate::kinds::distributions;
use crate::search::{Candidate, LeftoverOf, Scope, Search};
use crate::stack::marked;
use peersync_aws::NotFound as _;
use peersync_engine::{Address, ResourceError, Tags};

pub(super) struct Distributions;

#[async_trait]
impl Search for Distributions {
    /// Distributions are global to the account; their tags tell the region.
    async fn candidates(&self, scope: &Scope<'_>) -> Result<Vec<Candidate>, ResourceError> {
        let all = scope.global.get("distributions", distributions::list(scope.clients)).await?;
        let in_our_region = format!(" in {}", scope.clients.region);
        let candidate = |one: aws_sdk_cloudfront::types::DistributionSummary| {
            let stack = marked(&one.comment)?.strip_suffix(&in_our_region)?;
            Some(Candidate::named(one.id, stack))
        };
        Ok(all.into_iter().filter_map(candidate).collect())
    }

    async fn tags(&self, scope: &Scope<'_>, id: &str) -> Result<Option<Tags>, ResourceError> {
        let (partition, account) = (&scope.identity.partition, &scope.identity.account);
        let arn = format!("arn:{partition}:cloudfront::{account}:distribution/{id}");
        let answer = scope.clients.cloudfront.list_tags_for_resource().resource(arn).send().await;
        let answer = answer.found(&["NoSuchResource"], "failed to read the tags of a distribution")?;
        let tags = answer.map(|answer| answer.tags.and_then(|tags| tags.items).unwrap_or_default());
        Ok(tags.map(|tags| tags.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default())).collect()))
    }

    fn leftover(&self) -> Option<LeftoverOf> {
        Some(|stack, id| Arc::new(Distribution { stack: stack.clone(), address: Address::new(NAME, id) }))
    }

    fn actions(&self) -> &'static [&'static str] {
        &["cloudfront:ListDistributions", "cloudfront:ListTagsForResource"]
    }
}
