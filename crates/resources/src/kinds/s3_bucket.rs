//! The bucket with the pages and the signaling program: private, owned by its account alone, encrypted, versioned.

mod emptying;
mod settings;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, ObjectOwnership, Tag, Tagging};
use futures::future::try_join_all;

use super::{Kind, Permission};
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _, code_of, retry};
use peersync_engine::{
    Address, ApplyContext, Changes, Fields, Live, OutputMap, Outputs, Ownership, Progress, Resource, ResourceError,
    Tags,
};

/// The registry's line.
pub const KIND: Kind = Kind { name: NAME, permissions, instances };
const NAME: &str = "s3_bucket";

/// The region whose name is not said when a bucket is made there.
const UNSAID_REGION: &str = "us-east-1";
/// Codes that S3 gives for a while: two changes at once, and a bucket just made that not every part knows of.
const PASSING: &[&str] = &["OperationAborted", "NoSuchBucket"];
/// Codes by which S3 says that the bucket is somebody else's, or in another region.
const ELSEWHERE: &[&str] = &[
    "AccessDenied",
    "403",
    "PermanentRedirect",
    "301",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
];

/// The address of the bucket.
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
        Permission {
            actions: vec![
                "s3:CreateBucket",
                "s3:DeleteBucket",
                "s3:GetBucketOwnershipControls",
                "s3:GetBucketPublicAccessBlock",
                "s3:GetBucketTagging",
                "s3:GetBucketVersioning",
                "s3:GetEncryptionConfiguration",
                "s3:GetLifecycleConfiguration",
                "s3:ListBucketVersions",
                "s3:PutBucketOwnershipControls",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutBucketTagging",
                "s3:PutBucketVersioning",
                "s3:PutEncryptionConfiguration",
                "s3:PutLifecycleConfiguration",
                // The tags that a bucket is made with.
                "s3:TagResource",
            ],
            resources: vec![arn.clone()],
        },
        Permission { actions: vec!["s3:DeleteObject", "s3:DeleteObjectVersion"], resources: vec![format!("{arn}/*")] },
    ]
}

#[async_trait]
impl Resource for Bucket {
    fn address(&self) -> &Address {
        &self.address
    }

    fn dependencies(&self) -> Vec<Address> {
        Vec::new()
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let (whose, fields) = futures::join!(found(&self.stack, reads), settings::read(&self.stack, &self.name));
        let (tags, ownership) = match whose? {
            Whose::Nobodys => return Ok(None),
            Whose::Elsewhere(reason) => {
                let ownership = Ownership::Foreign(reason);
                return Ok(Some(Live { id: self.name.clone(), ownership, ..Live::default() }));
            }
            Whose::InOurAccount(tags) => {
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
        let tags = sdk_tags(context.tags)?;
        let mut configuration = CreateBucketConfiguration::builder().set_tags(Some(tags));
        if self.stack.clients.region != UNSAID_REGION {
            let region = BucketLocationConstraint::from(self.stack.clients.region.as_str());
            configuration = configuration.location_constraint(region);
        }
        let call = self.stack.clients.s3.create_bucket().bucket(&self.name);
        let call = call.object_ownership(ObjectOwnership::BucketOwnerEnforced);
        let call = call.create_bucket_configuration(configuration.build());
        // A bucket of that name was deleted a moment ago, and the name is not free yet.
        let passes = |error: &ResourceError| error.is(&["OperationAborted"]);
        let created = retry::while_failing(context.progress, retry::Schedule::STATE, passes, || async {
            call.clone().send().await.context("failed to create the bucket")
        });
        match created.await {
            Err(error) if error.is(&["BucketAlreadyOwnedByYou"]) => self.must_be_ours().await?,
            Err(error) if error.is(&["BucketAlreadyExists"]) => return Err(name_taken(error)),
            created => created.map(|_| ())?,
        }
        let every_field: Vec<String> = self.desired(context.outputs).into_keys().collect();
        self.apply(context.progress, &every_field).await?;
        Ok(self.outputs())
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        let changed: Vec<String> = changes.iter().map(|change| change.field.clone()).collect();
        self.apply(context.progress, &changed).await?;
        if changes.tags() {
            let mut tags: Tags = live.tags.clone().unwrap_or_default();
            tags.extend(context.tags.clone());
            tags.retain(|key, _| !key.starts_with("aws:"));
            let tags =
                Tagging::builder().set_tag_set(Some(sdk_tags(&tags)?)).build().context("failed to tag the bucket")?;
            retry_passing(context.progress, || async {
                let call = self.stack.clients.s3.put_bucket_tagging().bucket(&self.name).tagging(tags.clone());
                call.send().await.context("failed to tag the bucket").map(|_| ())
            })
            .await?;
        }
        Ok(self.outputs())
    }

    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        emptying::delete_with_content(&self.stack.clients.s3, progress, &live.id).await
    }
}

impl Bucket {
    fn outputs(&self) -> OutputMap {
        OutputMap::new().with("name", &self.name).with("arn", bucket_arn(&self.stack))
    }

    /// Sends the settings of these fields, all at once.
    async fn apply(&self, progress: &Progress, fields: &[String]) -> Result<(), ResourceError> {
        let (s3, days) = (&self.stack.clients.s3, self.stack.config.site.old_version_days);
        let sent =
            fields.iter().map(|field| retry_passing(progress, move || settings::send(s3, &self.name, field, days)));
        try_join_all(sent).await.map(|_| ())
    }

    async fn must_be_ours(&self) -> Result<(), ResourceError> {
        match whose(&self.stack).await? {
            Whose::InOurAccount(tags) if self.stack.ownership(&tags) == Ownership::Ours => Ok(()),
            _ => Err(name_taken(ResourceError::new("failed to create the bucket"))),
        }
    }
}

/// What the tags say of the bucket with our name.
#[derive(Clone, Debug)]
pub(super) enum Whose {
    /// There is none.
    Nobodys,
    /// It is in another account or region; the text says what was seen.
    Elsewhere(String),
    /// It is in this account, with these tags.
    InOurAccount(Tags),
}

/// Asks for the tags of the bucket with our name.
async fn whose(stack: &Stack) -> Result<Whose, ResourceError> {
    let call = stack.clients.s3.get_bucket_tagging().bucket(stack.bucket());
    match call.expected_bucket_owner(&stack.identity.account).send().await {
        Ok(answer) => {
            let tags = answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect();
            Ok(Whose::InOurAccount(tags))
        }
        Err(error) => match code_of(&error) {
            Some("NoSuchBucket") => Ok(Whose::Nobodys),
            Some("NoSuchTagSet") => Ok(Whose::InOurAccount(Tags::new())),
            Some(code) if ELSEWHERE.contains(&code) => Ok(Whose::Elsewhere(
                "it is in another account or region, or your role may not read its tags".to_owned(),
            )),
            _ => Err(error).context("failed to read the tags of the bucket"),
        },
    }
}

/// Whose the bucket is, as it was when the graph was read.
async fn found(stack: &Stack, reads: &SharedReads) -> Result<Whose, ResourceError> {
    reads.get(NAME, whose(stack)).await
}

/// Whether the bucket was found and is of this stack. What lies in another one is left for the bucket itself to report.
pub(super) async fn is_found(stack: &Stack, reads: &SharedReads) -> Result<bool, ResourceError> {
    let tags = match found(stack, reads).await? {
        Whose::InOurAccount(tags) => tags,
        Whose::Nobodys | Whose::Elsewhere(_) => return Ok(false),
    };
    Ok(stack.ownership(&tags) == Ownership::Ours)
}

/// The bucket's ARN.
pub(super) fn bucket_arn(stack: &Stack) -> String {
    format!("arn:{}:s3:::{}", stack.identity.partition, stack.bucket())
}

/// Tries again while S3 says that it will pass.
pub(super) async fn retry_passing<T, F, Fut>(progress: &Progress, operation: F) -> Result<T, ResourceError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, ResourceError>>,
{
    retry::while_failing(progress, retry::Schedule::PROPAGATION, |error| error.is(PASSING), operation).await
}

/// What an absent setting looks like, and the code for each.
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
    error.hint("somebody else has a bucket of this name; names are shared by all accounts: set `bucket` under [site] to a name of your own")
}

fn sdk_tags(tags: &Tags) -> Result<Vec<Tag>, ResourceError> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter().map(tag).collect::<Result<_, _>>().context("failed to write the tags of the bucket")
}
