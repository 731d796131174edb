//! Deletes a bucket with its contents: first all versions and delete markers, then the bucket. If it has files that are
//! to stay, they and the bucket stay, without the stack's tags.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Delete, ObjectIdentifier, Tagging};

use peersync_aws::{Context as _, NotFound as _, retry};
use peersync_engine::{Progress, ResourceError, rule};

/// The maximum number of keys that S3 accepts in one call.
const BATCH: i32 = 1_000;
/// Transient error codes, of single keys or of a whole call: S3 is busy, or an object was added meanwhile.
const TRANSIENT: &[&str] = &["InternalError", "SlowDown", "ServiceUnavailable", "BucketNotEmpty"];

/// Empties and deletes the bucket; succeeds if it does not exist.
pub(super) async fn delete_with_content(s3: &Client, progress: &Progress, bucket: &str) -> Result<(), ResourceError> {
    // `OperationAborted`: another change of the bucket is in progress.
    let is_transient = |error: &ResourceError| {
        error.is(TRANSIENT) || rule!("bucket-delete-while-busy", error.is(&["OperationAborted"]))
    };
    retry::while_failing(progress, retry::Schedule::STATE, is_transient, || async {
        rule!("bucket-emptied-before-delete" => {
            empty(s3, progress, bucket, &|_| true).await?;
        });
        delete(s3, bucket).await
    })
    .await
}

/// Deletes the objects for which `is_ours` returns `true`, and the bucket if it has no others. Otherwise it removes the
/// stack's tags from the bucket.
pub(super) async fn delete_own_content(
    s3: &Client,
    progress: &Progress,
    bucket: &str,
    is_ours: impl Fn(&str) -> bool + Sync,
) -> Result<(), ResourceError> {
    empty(s3, progress, bucket, &is_ours).await?;
    match delete(s3, bucket).await {
        Err(error) if error.is(&["BucketNotEmpty"]) => release(s3, bucket).await,
        result => result,
    }
}

async fn delete(s3: &Client, bucket: &str) -> Result<(), ResourceError> {
    let answer = s3.delete_bucket().bucket(bucket).send().await;
    answer.found(rule!("bucket-delete-survives-absence", &["NoSuchBucket"]), "failed to delete the bucket").map(|_| ())
}

/// Removes the tags that make the bucket one of the stack.
async fn release(s3: &Client, bucket: &str) -> Result<(), ResourceError> {
    const SUMMARY: &str = "failed to remove the stack's tags from the bucket";
    let mut tags = s3.get_bucket_tagging().bucket(bucket).send().await.context(SUMMARY)?.tag_set;
    tags.retain(|tag| !tag.key.starts_with("peersync:"));
    let tagging = Tagging::builder().set_tag_set(Some(tags)).build().context(SUMMARY)?;
    s3.put_bucket_tagging().bucket(bucket).tagging(tagging).send().await.context(SUMMARY).map(|_| ())
}

async fn empty(
    s3: &Client,
    progress: &Progress,
    bucket: &str,
    selected: &(dyn Fn(&str) -> bool + Sync),
) -> Result<(), ResourceError> {
    let (mut key, mut version, mut deleted) = (None, None, 0);
    loop {
        let call = s3.list_object_versions().bucket(bucket).max_keys(BATCH);
        let answer = call.set_key_marker(key).set_version_id_marker(version).send().await;
        let Some(page) = answer.found(&["NoSuchBucket"], "failed to list the versions in the bucket")? else {
            return Ok(());
        };
        let versions = page.versions().iter().map(|one| identifier(one.key(), one.version_id()));
        let markers = page.delete_markers().iter().map(|one| identifier(one.key(), one.version_id()));
        let found = versions.chain(markers).flatten().collect::<Result<Vec<_>, _>>();
        let found = found.map(|found| found.into_iter().filter(|one| selected(&one.key)).collect::<Vec<_>>());
        let found = found.context("failed to delete the objects in the bucket")?;
        deleted += found.len();
        delete_batch(s3, bucket, found).await?;
        if page.is_truncated() != Some(true) {
            return Ok(());
        }
        progress.waiting(format!("the bucket to be emptied, {deleted} versions so far"));
        (key, version) = (page.next_key_marker, page.next_version_id_marker);
    }
}

fn identifier(
    key: Option<&str>,
    version: Option<&str>,
) -> Option<Result<ObjectIdentifier, aws_smithy_types::error::operation::BuildError>> {
    Some(ObjectIdentifier::builder().key(key?).set_version_id(version.map(str::to_owned)).build())
}

async fn delete_batch(s3: &Client, bucket: &str, objects: Vec<ObjectIdentifier>) -> Result<(), ResourceError> {
    const SUMMARY: &str = "failed to delete the objects in the bucket";
    if objects.is_empty() {
        return Ok(());
    }
    let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().context(SUMMARY)?;
    let answer = s3.delete_objects().bucket(bucket).delete(delete).send().await;
    let Some(answer) = answer.found(&["NoSuchBucket"], SUMMARY)? else { return Ok(()) };
    match answer.errors().first() {
        None => Ok(()),
        Some(error) => {
            let text = error.message().or(error.code()).unwrap_or("S3 gave no reason").to_owned();
            Err(ResourceError::new(SUMMARY).code(error.code()).caused_by(text))
        }
    }
}
