//! The bucket with the pages and the server programs: private, owned by its account alone, encrypted and versioned.

mod emptying;
mod search;
mod settings;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, ObjectOwnership, Tag, Tagging};
use futures::future::try_join_all;

use super::{Kind, bucket_files};
use crate::permission::{Condition, Permission};
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _, code_of, retry};
use peersync_engine::{
    Address, ApplyContext, Changes, FieldName, Fields, Live, OutputMap, Outputs, Ownership, Progress, Resource,
    ResourceError, SharedReads, Tags, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: Some(&search::Buckets) };
const NAME: &str = "s3_bucket";

/// The only region that `CreateBucket` does not accept as a location constraint.
const REGION_WITHOUT_CONSTRAINT: &str = "us-east-1";
/// Error codes for a bucket in another account or region.
const ELSEWHERE: &[&str] = &[
    "AccessDenied",
    "403",
    "PermanentRedirect",
    "301",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
];

/// The tag that says what happens to files that the stack did not put into the bucket.
const FILES_TAG: &str = "peersync:files";
/// The value of [`FILES_TAG`] of a bucket that was adopted without its files: they stay, and so does the bucket.
const KEPT: &str = "kept";

/// Returns the address of the bucket.
pub fn address() -> Address {
    Address::new(NAME, "site")
}

struct Bucket {
    stack: Arc<Stack>,
    address: Address,
    name: String,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(Bucket { stack: stack.clone(), address: address(), name: stack.bucket() })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let arn = bucket_arn(stack);
    vec![
        // IAM sees the tags of a bucket only if that was enabled for the bucket, so only those of requests are of use.
        Permission::new(&["s3:CreateBucket", "s3:TagResource"], vec![arn.clone()]).only(Condition::Tagged),
        Permission::new(
            &[
                "s3:DeleteBucket",
                "s3:GetBucketCORS",
                "s3:GetBucketOwnershipControls",
                "s3:GetBucketPublicAccessBlock",
                "s3:GetBucketVersioning",
                "s3:GetEncryptionConfiguration",
                "s3:GetLifecycleConfiguration",
                "s3:ListBucketVersions",
                // Deletes them, too.
                "s3:PutBucketCORS",
                "s3:PutBucketOwnershipControls",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutBucketTagging",
                "s3:PutBucketVersioning",
                "s3:PutEncryptionConfiguration",
                "s3:PutLifecycleConfiguration",
            ],
            vec![arn.clone()],
        ),
        Permission::new(&["s3:DeleteObject", "s3:DeleteObjectVersion"], vec![format!("{arn}/*")]),
        // For buckets of the stack under other names.
        Permission::anywhere(&["s3:ListAllMyBuckets"]),
        Permission::new(&["s3:GetBucketTagging"], vec![format!("arn:{}:s3:::*", stack.identity.partition)]),
    ]
}

#[async_trait]
impl Resource for Bucket {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn dependencies(&self) -> Vec<Address> {
        Vec::new()
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let (owner, fields) = futures::join!(found(&self.stack, reads), settings::read(&self.stack, &self.name));
        let (tags, ownership) = match owner? {
            BucketOwner::Nobody => return Ok(None),
            BucketOwner::Elsewhere(reason) => {
                let ownership = Ownership::OutOfReach(reason);
                return Ok(Some(Live { id: self.name.clone(), ownership, ..Live::default() }));
            }
            BucketOwner::InOurAccount(tags) => {
                let ownership = self.stack.ownership(&tags);
                (tags, ownership)
            }
        };
        let (id, outputs) = (self.name.clone(), self.outputs());
        Ok(Some(Live { id, fields: fields?, tags: Some(tags), ownership, outputs }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        settings::desired(self.stack.config.site.old_version_days)
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        let tags = sdk_tags!(try Tag, context.tags).context("failed to create the bucket")?;
        let mut configuration = CreateBucketConfiguration::builder().set_tags(Some(tags));
        if self.stack.clients.region != REGION_WITHOUT_CONSTRAINT {
            let region = BucketLocationConstraint::from(self.stack.clients.region.as_str());
            configuration = configuration.location_constraint(region);
        }
        let call = self.stack.clients.s3.create_bucket().bucket(&self.name);
        let call = call.object_ownership(ObjectOwnership::BucketOwnerEnforced);
        let call = call.create_bucket_configuration(configuration.build());
        // A bucket with this name was just deleted, and the name is not available yet.
        let is_transient =
            |error: &ResourceError| rule!("bucket-name-free-after-delete", error.is(&["OperationAborted"]));
        let created = retry::while_failing(context.progress, retry::Schedule::STATE, is_transient, || async {
            call.clone().send().await.context("failed to create the bucket")
        });
        match created.await {
            Err(error) if rule!("bucket-create-survives-lost-answer", error.is(&["BucketAlreadyOwnedByYou"])) => {
                self.must_be_ours().await?;
            }
            Err(error) if error.is(&["BucketAlreadyExists"]) => return Err(name_taken(error)),
            created => created.map(|_| ())?,
        }
        // A new bucket has no CORS rules that would have to be deleted.
        self.apply(context.progress, settings::FIELDS.into_iter().filter(|field| *field != settings::CORS)).await?;
        Ok(self.outputs())
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        self.apply(context.progress, settings::FIELDS.into_iter().filter(|field| changes.has(*field))).await?;
        if changes.tags() {
            const TAGGING: &str = "failed to tag the bucket";
            let mut tags: Tags = live.tags.clone().unwrap_or_default();
            tags.extend(context.tags.clone());
            let is_adopted = live.ownership != Ownership::Ours;
            if is_adopted && !self.stack.adopt.contains(&bucket_files::pages_address()) {
                tags.insert(FILES_TAG.to_owned(), KEPT.to_owned());
            }
            let removed = changes.removed_tags();
            tags.retain(|key, _| !key.starts_with("aws:") && !removed.contains(key));
            let tags = sdk_tags!(try Tag, tags).context(TAGGING)?;
            let tags = Tagging::builder().set_tag_set(Some(tags)).build().context(TAGGING)?;
            retry_transient(context.progress, || async {
                let call = self.stack.clients.s3.put_bucket_tagging().bucket(&self.name).tagging(tags.clone());
                call.send().await.context(TAGGING).map(|_| ())
            })
            .await?;
        }
        Ok(self.outputs())
    }

    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        let s3 = &self.stack.clients.s3;
        if live.tags.as_ref().is_some_and(keeps_files) {
            return emptying::delete_own_content(s3, progress, &live.id, |key| bucket_files::is_ours(&self.stack, key))
                .await;
        }
        emptying::delete_with_content(s3, progress, &live.id).await
    }
}

impl Bucket {
    fn outputs(&self) -> OutputMap {
        OutputMap::new().with("name", &self.name).with("arn", bucket_arn(&self.stack))
    }

    /// Applies the settings of these fields concurrently.
    async fn apply(&self, progress: &Progress, fields: impl Iterator<Item = FieldName>) -> Result<(), ResourceError> {
        let (s3, days) = (&self.stack.clients.s3, self.stack.config.site.old_version_days);
        let sent = fields.map(|field| retry_transient(progress, move || settings::send(s3, &self.name, field, days)));
        try_join_all(sent).await.map(|_| ())
    }

    async fn must_be_ours(&self) -> Result<(), ResourceError> {
        match owner(&self.stack).await? {
            BucketOwner::InOurAccount(tags) if self.stack.ownership(&tags) == Ownership::Ours => Ok(()),
            _ => Err(name_taken(ResourceError::new("failed to create the bucket"))),
        }
    }
}

/// The owner of the bucket with the stack's bucket name.
#[derive(Clone, Debug)]
pub(super) enum BucketOwner {
    /// The bucket does not exist.
    Nobody,
    /// The bucket is in another account or region; the text is the reason to show.
    Elsewhere(String),
    /// The bucket is in this account and has these tags.
    InOurAccount(Tags),
}

/// Reads the owner and the tags of the bucket with the stack's bucket name.
async fn owner(stack: &Stack) -> Result<BucketOwner, ResourceError> {
    let call = stack.clients.s3.get_bucket_tagging().bucket(stack.bucket());
    match call.expected_bucket_owner(&stack.identity.account).send().await {
        Ok(answer) => {
            let tags = answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect();
            Ok(BucketOwner::InOurAccount(tags))
        }
        Err(error) => match code_of(&error) {
            Some("NoSuchBucket") => Ok(BucketOwner::Nobody),
            Some("NoSuchTagSet") => Ok(BucketOwner::InOurAccount(Tags::new())),
            Some(code) if ELSEWHERE.contains(&code) => Ok(BucketOwner::Elsewhere(
                "it is in another account or region, or your role may not read its tags".to_owned(),
            )),
            _ => Err(error).context("failed to read the tags of the bucket"),
        },
    }
}

/// Returns the owner of the bucket as of the graph's shared read.
async fn found(stack: &Stack, reads: &SharedReads) -> Result<BucketOwner, ResourceError> {
    reads.get(NAME, owner(stack)).await
}

/// How the contents of the bucket are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contents {
    /// The bucket does not exist, or is neither managed by this stack nor to be adopted: only it is reported.
    Absent,
    /// The bucket is managed by this stack.
    Ours {
        /// Whether files that the stack did not put there stay.
        kept: bool,
    },
    /// The bucket is to be adopted, and everything in it is somebody else's.
    Adopted,
}

/// Returns how the contents of the bucket are seen.
pub(super) async fn contents(stack: &Stack, reads: &SharedReads) -> Result<Contents, ResourceError> {
    let tags = match found(stack, reads).await? {
        BucketOwner::InOurAccount(tags) => tags,
        BucketOwner::Nobody | BucketOwner::Elsewhere(_) => return Ok(Contents::Absent),
    };
    Ok(match stack.ownership(&tags) {
        Ownership::Ours => Contents::Ours { kept: keeps_files(&tags) },
        _ if stack.adopt.contains(&address()) => Contents::Adopted,
        _ => Contents::Absent,
    })
}

/// Returns whether these are the tags of a bucket whose files the stack did not all put there, and which it therefore
/// keeps.
pub fn keeps_files(tags: &Tags) -> bool {
    tags.get(FILES_TAG).is_some_and(|files| files == KEPT)
}

/// Returns the ARN of the bucket.
pub(super) fn bucket_arn(stack: &Stack) -> String {
    format!("arn:{}:s3:::{}", stack.identity.partition, stack.bucket())
}

/// Repeats `operation` while it fails with a transient error of S3.
pub(super) async fn retry_transient<T, F, Fut>(progress: &Progress, operation: F) -> Result<T, ResourceError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, ResourceError>>,
{
    retry::while_failing(progress, retry::Schedule::PROPAGATION, is_transient, operation).await
}

/// Returns whether the error means that another change of the bucket is in progress, or that a new bucket has not
/// propagated.
fn is_transient(error: &ResourceError) -> bool {
    rule!("bucket-change-while-busy", error.is(&["OperationAborted"]))
        || rule!("bucket-visible-to-settings", error.is(&["NoSuchBucket"]))
}

/// Returns `None` if the bucket is missing, or if `code` says that it lacks the setting.
fn absent_setting<T, E, R>(
    answer: Result<T, aws_smithy_runtime_api::client::result::SdkError<E, R>>,
    code: &str,
    summary: &str,
) -> Result<Option<T>, ResourceError>
where
    E: aws_smithy_types::error::metadata::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    answer.found(&[code, "NoSuchBucket"], summary)
}

fn name_taken(error: ResourceError) -> ResourceError {
    error.hint("another account has a bucket with this name, and bucket names are global: set `bucket` under [site] to another name")
}
