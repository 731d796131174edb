//! The objects in the bucket: what pages and programs list and delete.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::s3_bucket;
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{Progress, ResourceError, SharedReads};

/// The objects in the bucket by key.
pub(super) type Listing = BTreeMap<String, Listed>;

/// An object as S3 lists it.
#[derive(Clone)]
pub(super) struct Listed {
    /// The MD5 of its content.
    pub(super) entity_tag: String,
    pub(super) modified: Option<DateTime>,
}

/// Returns all objects in the bucket as of the graph's shared read.
pub(super) async fn listed(stack: &Stack, reads: &SharedReads) -> Result<Arc<Listing>, ResourceError> {
    reads.get("the objects in the bucket", async { list(stack).await.map(Arc::new) }).await
}

/// Returns all objects in the bucket by key.
pub(super) async fn list(stack: &Stack) -> Result<Listing, ResourceError> {
    let mut pages = stack.clients.s3.list_objects_v2().bucket(stack.bucket()).into_paginator().send();
    let mut found = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.found(&["NoSuchBucket"], "failed to list the objects in the bucket")?;
        for object in page.and_then(|page| page.contents).unwrap_or_default() {
            let (Some(key), Some(tag)) = (object.key, object.e_tag) else { continue };
            let entity_tag = tag.trim_matches('"').to_owned();
            found.insert(key, Listed { entity_tag, modified: object.last_modified });
        }
    }
    Ok(found)
}

/// Deletes these objects. Their versions stay for a while.
pub(super) async fn remove(stack: &Stack, progress: &Progress, keys: &[String]) -> Result<(), ResourceError> {
    const SUMMARY: &str = "failed to remove objects from the bucket";
    for keys in keys.chunks(1_000) {
        let identifiers = keys.iter().map(|key| ObjectIdentifier::builder().key(key).build());
        let identifiers = identifiers.collect::<Result<Vec<_>, _>>().context(SUMMARY)?;
        let delete = Delete::builder().set_objects(Some(identifiers)).quiet(true).build().context(SUMMARY)?;
        let answer = s3_bucket::retry_transient(progress, || async {
            let call = stack.clients.s3.delete_objects().bucket(stack.bucket()).delete(delete.clone());
            call.send().await.context(SUMMARY)
        })
        .await?;
        if let Some(error) = answer.errors().first() {
            let cause = format!("{}: {}", error.key().unwrap_or_default(), error.message().unwrap_or_default());
            return Err(ResourceError::new(SUMMARY).code(error.code()).caused_by(cause));
        }
    }
    Ok(())
}
