//! The pages in the bucket, as a single resource: changed files are uploaded, and those that no longer exist removed.
//!
//! Files are compared by checksum, not by date: the entity tag of an object that was uploaded in one part and is
//! encrypted with S3's own keys is its MD5. Each file is a separate field, so that the plan names it. The digests of
//! that many fields do not fit in a tag, so the digest of this resource is stored as metadata of `config.json`. That is
//! uploaded last, so that an interrupted upload is detected. The stack's tags are those of the bucket.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier, ServerSideEncryption};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::BoxFuture;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use md5::{Digest as _, Md5};
use serde_json::json;

use super::s3_bucket::{self, Contents};
use super::{Kind, Permission, invalidation, s3_program};
use crate::pages::{self, CONFIG_KEY};
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{
    Address, ApplyContext, Changes, Field, FieldName, Fields, Live, LiveField, LiveFields, OutputMap, Outputs,
    Ownership, Progress, Resource, ResourceError, SharedReads, Tags, rule, text,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: None };
const NAME: &str = "s3_objects";

/// Unmanaged objects in the bucket. The other fields are the files, by their keys.
const UNEXPECTED: FieldName = FieldName::new("unexpected");
/// The content types and cache headers of all files. This field is unreadable, because S3 does not list them.
const HEADERS: FieldName = FieldName::new("headers");
/// The metadata of `config.json` that stores the digest of all fields, as a tag in JSON in base64url.
pub const TAGS_METADATA: &str = "peersync-tags";
/// The maximum number of files that a conflict names.
const NAMED_FILES: usize = 12;
/// The maximum number of concurrent uploads.
const UPLOADS: usize = 16;

/// Returns the address of the pages.
pub fn address() -> Address {
    Address::new(NAME, "site")
}

/// Returns whether a file with this key in the bucket is one of the stack's.
pub(super) fn is_ours(stack: &Stack, key: &str) -> bool {
    key == CONFIG_KEY || key.starts_with(s3_program::PREFIX) || stack.artifacts.pages.iter().any(|page| page.key == key)
}

struct Objects {
    stack: Arc<Stack>,
    address: Address,
    files: BTreeMap<&'static str, Body>,
}

/// The content of a file with its checksum.
struct Body {
    bytes: std::borrow::Cow<'static, [u8]>,
    md5: String,
}

impl Body {
    fn new(bytes: impl Into<std::borrow::Cow<'static, [u8]>>) -> Self {
        let bytes = bytes.into();
        let md5 = hex::encode(Md5::digest(&bytes));
        Self { bytes, md5 }
    }
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    let config = pages::config_json(&stack.signal_path(), &stack.config.stage);
    let pages = stack.artifacts.pages.iter().map(|page| (page.key, Body::new(page.content)));
    let files = pages.chain([(CONFIG_KEY, Body::new(config.into_bytes()))]).collect();
    vec![Arc::new(Objects { stack: stack.clone(), address: address(), files })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let arn = s3_bucket::bucket_arn(stack);
    vec![
        Permission { actions: vec!["s3:ListBucket"], resources: vec![arn.clone()] },
        Permission {
            actions: vec!["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            resources: vec![format!("{arn}/*")],
        },
    ]
}

#[async_trait]
impl Resource for Objects {
    fn address(&self) -> &Address {
        &self.address
    }

    fn dependencies(&self) -> Vec<Address> {
        rule!("objects-after-bucket", vec![s3_bucket::address()])
    }

    fn taggable(&self) -> bool {
        false
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let (contents, listed, recorded) =
            futures::join!(s3_bucket::contents(&self.stack, reads), self.list(), self.recorded_tags());
        let (contents, mut listed) = (contents?, listed?);
        let is_page = |key: &String| self.files.contains_key(key.as_str());
        let ownership = match contents {
            Contents::Absent => return Ok(None),
            Contents::Ours { kept } => {
                listed.retain(|key, _| !kept || is_page(key));
                Ownership::Ours
            }
            Contents::Adopted => {
                listed.retain(|key, _| self.stack.adopt.contains(&self.address) || is_page(key));
                let keys: Vec<&String> = listed.keys().collect();
                let files = text::list(&keys, NAMED_FILES);
                Ownership::Foreign(format!("these files in the bucket would be replaced or deleted: {files}"))
            }
        };
        if listed.is_empty() {
            return Ok(None);
        }
        let fields = self.live_fields(listed);
        Ok(Some(Live { id: self.stack.bucket(), fields, tags: Some(recorded?), ownership, ..Live::default() }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        let headers: BTreeMap<&str, String> = self
            .files
            .keys()
            .map(|key| (*key, format!("{} {}", pages::content_type(key), pages::cache_control(key))))
            .collect();
        let files = self.files.iter().map(|(key, body)| ((*key).to_owned(), Field::known(body.md5.as_str())));
        files.collect::<Fields>().with(UNEXPECTED, json!([])).with(HEADERS, json!(headers))
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        let keys = self.files.keys().copied().filter(|key| *key != CONFIG_KEY);
        self.upload_all(context, keys.collect()).await?;
        self.upload(context, CONFIG_KEY).await?;
        Ok(OutputMap::new())
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        let changed = |key: &&str| changes.has(HEADERS) || changes.has_named(key);
        let keys: Vec<&'static str> =
            self.files.keys().copied().filter(|key| *key != CONFIG_KEY).filter(changed).collect();
        let unexpected = live.fields.texts(UNEXPECTED);
        futures::try_join!(self.upload_all(context, keys.clone()), self.remove(context.progress, &unexpected))?;
        if changes.tags() || changed(&CONFIG_KEY) {
            self.upload(context, CONFIG_KEY).await?;
        }
        let keys = keys.into_iter().chain(changed(&CONFIG_KEY).then_some(CONFIG_KEY));
        let paths = keys.map(str::to_owned).chain(unexpected).collect();
        invalidation::request(&self.stack, context.progress, paths).await;
        Ok(OutputMap::new())
    }

    /// Does nothing: the deletion of the bucket also deletes all objects and their old versions.
    async fn delete(&self, _: &Progress, _: &Live) -> Result<(), ResourceError> {
        Ok(())
    }
}

impl Objects {
    /// Returns the entity tags of all objects by key, without the programs.
    async fn list(&self) -> Result<BTreeMap<String, String>, ResourceError> {
        let mut pages = self.stack.clients.s3.list_objects_v2().bucket(self.stack.bucket()).into_paginator().send();
        let mut found = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let page = page.found(&["NoSuchBucket"], "failed to list the pages in the bucket")?;
            for object in page.and_then(|page| page.contents).unwrap_or_default() {
                let (Some(key), Some(tag)) = (object.key, object.e_tag) else { continue };
                if !key.starts_with(s3_program::PREFIX) {
                    found.insert(key, tag.trim_matches('"').to_owned());
                }
            }
        }
        Ok(found)
    }

    async fn recorded_tags(&self) -> Result<Tags, ResourceError> {
        let answer = self.stack.clients.s3.head_object().bucket(self.stack.bucket()).key(CONFIG_KEY).send().await;
        let absent = ["NotFound", "NoSuchKey", "NoSuchBucket"];
        let answer = answer.found(&absent, "failed to read the digest of the pages")?;
        let text = answer.and_then(|answer| answer.metadata?.remove(TAGS_METADATA));
        Ok(text.and_then(|text| decoded(&text)).unwrap_or_default())
    }

    fn live_fields(&self, listed: BTreeMap<String, String>) -> LiveFields {
        let (ours, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            listed.into_iter().partition(|(key, _)| self.files.contains_key(key.as_str()));
        let others: Vec<String> = others.into_keys().collect();
        let files = ours.into_iter().map(|(key, tag)| (key, LiveField::known(tag)));
        files.collect::<LiveFields>().with(UNEXPECTED, others).with(HEADERS, LiveField::Unreadable)
    }

    async fn upload_all(&self, context: &ApplyContext<'_>, keys: Vec<&'static str>) -> Result<(), ResourceError> {
        let mut uploads: Vec<BoxFuture<'_, Result<(), ResourceError>>> = Vec::with_capacity(keys.len());
        for key in keys {
            uploads.push(Box::pin(self.upload(context, key)));
        }
        stream::iter(uploads).buffer_unordered(UPLOADS).try_collect().await
    }

    async fn upload(&self, context: &ApplyContext<'_>, key: &'static str) -> Result<(), ResourceError> {
        let Some(body) = self.files.get(key) else { return Ok(()) };
        let tags = (key == CONFIG_KEY).then(|| encoded(context.tags));
        s3_bucket::retry_transient(context.progress, || async {
            let bytes = match &body.bytes {
                std::borrow::Cow::Borrowed(bytes) => ByteStream::from_static(bytes),
                std::borrow::Cow::Owned(bytes) => ByteStream::from(bytes.clone()),
            };
            let mut call = self.stack.clients.s3.put_object().bucket(self.stack.bucket()).key(key).body(bytes);
            call = call.content_type(pages::content_type(key)).cache_control(pages::cache_control(key));
            // Set explicitly, because with other encryption than this the entity tag is not the MD5.
            call = call.server_side_encryption(ServerSideEncryption::Aes256);
            if let Some(tags) = &tags {
                call = call.metadata(TAGS_METADATA, tags);
            }
            call.send().await.context("failed to upload a page").map(|_| ())
        })
        .await
    }

    async fn remove(&self, progress: &Progress, keys: &[String]) -> Result<(), ResourceError> {
        const SUMMARY: &str = "failed to remove unexpected objects from the bucket";
        for keys in keys.chunks(1_000) {
            let identifiers = keys.iter().map(|key| ObjectIdentifier::builder().key(key).build());
            let identifiers = identifiers.collect::<Result<Vec<_>, _>>().context(SUMMARY)?;
            let delete = Delete::builder().set_objects(Some(identifiers)).quiet(true).build().context(SUMMARY)?;
            let answer = s3_bucket::retry_transient(progress, || async {
                let call = self.stack.clients.s3.delete_objects().bucket(self.stack.bucket()).delete(delete.clone());
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
}

/// Returns the value of [`TAGS_METADATA`] that stores these tags.
pub fn encoded(tags: &Tags) -> String {
    URL_SAFE_NO_PAD.encode(json!(tags).to_string())
}

fn decoded(text: &str) -> Option<Tags> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_tags_round_trip_through_the_metadata() {
        let tags: Tags = [("peersync:digest".to_owned(), "a".to_owned())].into();
        assert_eq!(decoded(&encoded(&tags)), Some(tags));
        assert_eq!(decoded("no base64!"), None);
    }

    #[test]
    fn unexpected_objects_are_read_from_the_live_fields() {
        let fields = LiveFields::new().with(UNEXPECTED, json!(["old.js", "a b"]));
        assert_eq!(fields.texts(UNEXPECTED), ["old.js", "a b"]);
        assert!(LiveFields::new().texts(UNEXPECTED).is_empty());
    }
}
