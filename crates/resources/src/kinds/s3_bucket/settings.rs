//! The settings of the bucket, one field each: the desired value, and how each is read and changed.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketVersioningStatus, ExpirationStatus,
    LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration, ObjectOwnership,
    OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    VersioningConfiguration,
};
use serde_json::{Value, json};

use super::absent_setting;
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{FieldName, Fields, LiveField, LiveFields, ResourceError};

/// The number of days after which incomplete uploads are deleted.
const UNFINISHED_UPLOAD_DAYS: i32 = 7;
/// The name of the managed lifecycle rule.
const LIFECYCLE_RULE: &str = "peersync";

const PUBLIC_ACCESS: FieldName = FieldName::new("public_access");
const OWNERSHIP: FieldName = FieldName::new("object_ownership");
const ENCRYPTION: FieldName = FieldName::new("encryption");
const VERSIONING: FieldName = FieldName::new("versioning");
const LIFECYCLE: FieldName = FieldName::new("lifecycle");
/// The rules by which pages of other origins may use the bucket, which should be none.
pub(super) const CORS: FieldName = FieldName::new("cors");

/// All settings, sorted by name.
pub(super) const FIELDS: [FieldName; 6] = [CORS, ENCRYPTION, LIFECYCLE, OWNERSHIP, PUBLIC_ACCESS, VERSIONING];

/// Returns the desired settings.
pub(super) fn desired(old_version_days: i32) -> Fields {
    Fields::new()
        .with(PUBLIC_ACCESS, "blocked")
        .with(OWNERSHIP, "BucketOwnerEnforced")
        .with(ENCRYPTION, "AES256")
        .with(VERSIONING, "Enabled")
        .with(LIFECYCLE, json!([rule_view(LIFECYCLE_RULE, true, old_version_days, UNFINISHED_UPLOAD_DAYS)]))
        .with(CORS, json!([]))
}

/// Reads all settings concurrently. Those of a bucket that does not exist are empty.
pub(super) async fn read(stack: &Stack, bucket: &str) -> Result<LiveFields, ResourceError> {
    let s3 = &stack.clients.s3;
    let (access, ownership, encryption, versioning, lifecycle, cors) = futures::try_join!(
        public_access(s3, bucket),
        object_ownership(s3, bucket),
        encryption(s3, bucket),
        versioning(s3, bucket),
        lifecycle(s3, bucket),
        cors(s3, bucket),
    )?;
    Ok(LiveFields::new()
        .with(PUBLIC_ACCESS, access)
        .with(OWNERSHIP, ownership)
        .with(ENCRYPTION, encryption)
        .with(VERSIONING, versioning)
        .with(LIFECYCLE, lifecycle)
        .with(CORS, LiveField::Unmanaged(cors)))
}

/// Applies the desired setting of one of [`FIELDS`].
pub(super) async fn send(
    s3: &Client,
    bucket: &str,
    field: FieldName,
    old_version_days: i32,
) -> Result<(), ResourceError> {
    match field {
        PUBLIC_ACCESS => block_public_access(s3, bucket).await,
        OWNERSHIP => enforce_ownership(s3, bucket).await,
        ENCRYPTION => encrypt(s3, bucket).await,
        VERSIONING => version(s3, bucket).await,
        LIFECYCLE => expire_old_versions(s3, bucket, old_version_days).await,
        CORS => forbid_cors(s3, bucket).await,
        _ => Ok(()),
    }
}

async fn public_access(s3: &Client, bucket: &str) -> Result<Value, ResourceError> {
    let answer = s3.get_public_access_block().bucket(bucket).send().await;
    let code = "NoSuchPublicAccessBlockConfiguration";
    let answer = absent_setting(answer, code, "failed to read the public access block of the bucket")?;
    let Some(block) = answer.and_then(|answer| answer.public_access_block_configuration) else {
        return Ok(json!("not blocked"));
    };
    let parts = [
        ("acls", block.block_public_acls),
        ("ignored acls", block.ignore_public_acls),
        ("policy", block.block_public_policy),
        ("buckets", block.restrict_public_buckets),
    ];
    let open: Vec<&str> = parts.iter().filter(|(_, blocked)| *blocked != Some(true)).map(|(name, _)| *name).collect();
    Ok(if open.is_empty() { json!("blocked") } else { json!(format!("not blocked: {}", open.join(", "))) })
}

async fn block_public_access(s3: &Client, bucket: &str) -> Result<(), ResourceError> {
    let block = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build();
    let call = s3.put_public_access_block().bucket(bucket).public_access_block_configuration(block);
    call.send().await.context("failed to block public access to the bucket").map(|_| ())
}

async fn object_ownership(s3: &Client, bucket: &str) -> Result<Value, ResourceError> {
    let answer = s3.get_bucket_ownership_controls().bucket(bucket).send().await;
    let code = "OwnershipControlsNotFoundError";
    let answer = absent_setting(answer, code, "failed to read the object ownership of the bucket")?;
    let rule = answer.and_then(|answer| answer.ownership_controls?.rules.into_iter().next());
    Ok(json!(rule.map(|rule| rule.object_ownership.as_str().to_owned())))
}

async fn enforce_ownership(s3: &Client, bucket: &str) -> Result<(), ResourceError> {
    const SUMMARY: &str = "failed to set the object ownership of the bucket";
    let rule = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::BucketOwnerEnforced);
    let rule = rule.build().context(SUMMARY)?;
    let controls = OwnershipControls::builder().rules(rule).build().context(SUMMARY)?;
    let call = s3.put_bucket_ownership_controls().bucket(bucket).ownership_controls(controls);
    call.send().await.context(SUMMARY).map(|_| ())
}

async fn encryption(s3: &Client, bucket: &str) -> Result<Value, ResourceError> {
    let answer = s3.get_bucket_encryption().bucket(bucket).send().await;
    let code = "ServerSideEncryptionConfigurationNotFoundError";
    let answer = absent_setting(answer, code, "failed to read the encryption of the bucket")?;
    let rule = answer.and_then(|answer| answer.server_side_encryption_configuration?.rules.into_iter().next());
    let algorithm = rule.and_then(|rule| rule.apply_server_side_encryption_by_default);
    Ok(json!(algorithm.map(|by_default| by_default.sse_algorithm.as_str().to_owned())))
}

async fn encrypt(s3: &Client, bucket: &str) -> Result<(), ResourceError> {
    const SUMMARY: &str = "failed to set the encryption of the bucket";
    let by_default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256);
    let rule = ServerSideEncryptionRule::builder();
    let rule = rule.apply_server_side_encryption_by_default(by_default.build().context(SUMMARY)?).build();
    let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build().context(SUMMARY)?;
    let call = s3.put_bucket_encryption().bucket(bucket).server_side_encryption_configuration(configuration);
    call.send().await.context(SUMMARY).map(|_| ())
}

async fn versioning(s3: &Client, bucket: &str) -> Result<Value, ResourceError> {
    let answer = s3.get_bucket_versioning().bucket(bucket).send().await;
    let answer = answer.found(&["NoSuchBucket"], "failed to read the versioning of the bucket")?;
    let status = answer.and_then(|answer| answer.status);
    Ok(json!(status.map_or_else(|| "Off".to_owned(), |status| status.as_str().to_owned())))
}

async fn version(s3: &Client, bucket: &str) -> Result<(), ResourceError> {
    let configuration = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let call = s3.put_bucket_versioning().bucket(bucket).versioning_configuration(configuration);
    call.send().await.context("failed to enable the versioning of the bucket").map(|_| ())
}

async fn lifecycle(s3: &Client, bucket: &str) -> Result<Value, ResourceError> {
    let answer = s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await;
    let code = "NoSuchLifecycleConfiguration";
    let answer = absent_setting(answer, code, "failed to read the lifecycle rules of the bucket")?;
    let rules = answer.and_then(|answer| answer.rules).unwrap_or_default();
    Ok(rules.iter().map(live_rule).collect())
}

fn live_rule(rule: &LifecycleRule) -> Value {
    let old = rule.noncurrent_version_expiration.as_ref().and_then(|old| old.noncurrent_days).unwrap_or_default();
    let upload = rule.abort_incomplete_multipart_upload.as_ref().and_then(|upload| upload.days_after_initiation);
    let current = rule.expiration.as_ref().and_then(|expiration| expiration.days);
    let mut view = rule_view(
        rule.id().unwrap_or_default(),
        rule.status == ExpirationStatus::Enabled,
        old,
        upload.unwrap_or_default(),
    );
    // The managed rule never deletes current versions. If it does, somebody changed it, so the value is shown.
    if let (Some(days), Some(members)) = (current, view.as_object_mut()) {
        members.insert("current_days".to_owned(), json!(days));
    }
    view
}

fn rule_view(id: &str, enabled: bool, old_version_days: i32, upload_days: i32) -> Value {
    json!({
        "rule": id,
        "enabled": enabled,
        "old_version_days": old_version_days,
        "unfinished_upload_days": upload_days,
    })
}

async fn expire_old_versions(s3: &Client, bucket: &str, days: i32) -> Result<(), ResourceError> {
    const SUMMARY: &str = "failed to set the lifecycle rules of the bucket";
    let rule = LifecycleRule::builder()
        .id(LIFECYCLE_RULE)
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .expiration(LifecycleExpiration::builder().expired_object_delete_marker(true).build())
        .noncurrent_version_expiration(NoncurrentVersionExpiration::builder().noncurrent_days(days).build())
        .abort_incomplete_multipart_upload(
            AbortIncompleteMultipartUpload::builder().days_after_initiation(UNFINISHED_UPLOAD_DAYS).build(),
        );
    let rule = rule.build().context(SUMMARY)?;
    let configuration = BucketLifecycleConfiguration::builder().rules(rule).build().context(SUMMARY)?;
    let call = s3.put_bucket_lifecycle_configuration().bucket(bucket).lifecycle_configuration(configuration);
    call.send().await.context(SUMMARY).map(|_| ())
}

async fn cors(s3: &Client, bucket: &str) -> Result<Value, ResourceError> {
    let answer = s3.get_bucket_cors().bucket(bucket).send().await;
    let answer = absent_setting(answer, "NoSuchCORSConfiguration", "failed to read the CORS rules of the bucket")?;
    let rules = answer.and_then(|answer| answer.cors_rules).unwrap_or_default();
    Ok(rules
        .iter()
        .map(|rule| json!({ "origins": rule.allowed_origins(), "methods": rule.allowed_methods() }))
        .collect())
}

async fn forbid_cors(s3: &Client, bucket: &str) -> Result<(), ResourceError> {
    let answer = s3.delete_bucket_cors().bucket(bucket).send().await;
    answer.context("failed to delete the CORS rules of the bucket").map(|_| ())
}
