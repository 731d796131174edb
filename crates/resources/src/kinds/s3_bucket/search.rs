//! Finds the buckets of PeerSync's stacks. A stack can have a second one after `site.bucket` was changed.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Bucket, ELSEWHERE, NAME};
use crate::search::{Candidate, LeftoverOf, Scope, Search};
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{Address, ResourceError, Tags};

pub(super) struct Buckets;

#[async_trait]
impl Search for Buckets {
    /// The name of a bucket can be chosen freely, so that every bucket of the region is a candidate.
    async fn candidates(&self, scope: &Scope<'_>) -> Result<Vec<Candidate>, ResourceError> {
        let pages = scope.clients.s3.list_buckets().bucket_region(&scope.clients.region).into_paginator().send();
        let pages = pages.collect::<Result<Vec<_>, _>>().await.context("failed to list the buckets")?;
        let buckets = pages.into_iter().flat_map(|page| page.buckets.unwrap_or_default());
        let candidate = |bucket: aws_sdk_s3::types::Bucket| {
            let candidate = Candidate { id: bucket.name?, ..Candidate::default() };
            Some(candidate.created(bucket.creation_date.as_ref()))
        };
        Ok(buckets.filter_map(candidate).collect())
    }

    async fn tags(&self, scope: &Scope<'_>, id: &str) -> Result<Option<Tags>, ResourceError> {
        let call = scope.clients.s3.get_bucket_tagging().bucket(id);
        // The buckets of others may refuse to be read; ours do not.
        let absent = [&["NoSuchTagSet", "NoSuchTagSetError", "NoSuchBucket"], ELSEWHERE].concat();
        let answer = call.send().await.found(&absent, "failed to read the tags of a bucket")?;
        Ok(answer.map(|answer| answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect()))
    }

    fn leftover(&self) -> Option<LeftoverOf> {
        Some(|stack, id| {
            Arc::new(Bucket { stack: stack.clone(), address: Address::new(NAME, id), name: id.to_owned() })
        })
    }

    fn actions(&self) -> &'static [&'static str] {
        &["s3:GetBucketTagging", "s3:ListAllMyBuckets"]
    }
}
