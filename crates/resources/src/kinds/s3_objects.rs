//! The pages in the bucket, as a single resource: changed files are uploaded, and those that no longer exist removed.
//!
//! Files are compared by checksum, not by date: the entity tag of an object that was uploaded in one part and is
//! encrypted with S3's own keys is its MD5. Each file is a separate field, so that the plan names it. The digest of
//! that many fields does not fit in a tag, so it is stored as metadata of `config.json`. That is uploaded last, so that
//! an interrupted upload is detected. An object that is newer than `config.json` was put by somebody else, and its
//! headers are read; those of the others are as they were uploaded, and S3 would need a request for each.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{Delete, ObjectIdentifier, ServerSideEncryption};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::BoxFuture;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

pub use super::bucket_files::pages_address as address;
use super::bucket_files::{self, PAGES_KIND};
use super::s3_bucket::{self, Contents};
use super::{Kind, invalidation};
use crate::pages::{self, CONFIG_KEY};
use crate::permission::Permission;
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::diff::DIGEST_TAG;
use peersync_engine::digest::Applied;
use peersync_engine::{
    Address, ApplyContext, Changes, Field, FieldName, Fields, Live, LiveField, LiveFields, OutputMap, Outputs,
    Ownership, Progress, Resource, ResourceError, SharedReads, Tags, rule, text,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: None };
const NAME: &str = PAGES_KIND;

/// Unmanaged objects in the bucket. The other fields are the files, by their keys.
const UNEXPECTED: FieldName = FieldName::new("unexpected");
/// The content types and cache headers of all files. This field is unreadable, because S3 does not list them.
const HEADERS: FieldName = FieldName::new("headers");
/// The headers of files that somebody else has put with other ones.
const CHANGED_HEADERS: FieldName = FieldName::new("changed_headers");
/// The metadata of `config.json` that stores the digest of all fields as a tag, as JSON in base64url.
pub const TAGS_METADATA: &str = "peersync-tags";
/// The maximum number of files that a conflict names.
const NAMED_FILES: usize = 12;
/// The maximum number of concurrent requests for files.
const CONCURRENCY: usize = 16;

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
        Permission::new(&["s3:ListBucket"], vec![arn.clone()]),
        Permission::new(&["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], vec![format!("{arn}/*")]),
    ]
}

#[async_trait]
impl Resource for Objects {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.stack.bucket())
    }

    fn dependencies(&self) -> Vec<Address> {
        rule!("objects-after-bucket", vec![s3_bucket::address()])
    }

    /// The bucket carries the tags of the stack; the pages have only a place for their digest.
    fn taggable(&self) -> bool {
        false
    }

    fn keeps_digest(&self) -> bool {
        true
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let (contents, listed, config) =
            futures::join!(s3_bucket::contents(&self.stack, reads), self.list(), self.head(CONFIG_KEY));
        let (contents, mut listed) = (contents?, listed?);
        let ownership = match contents {
            Contents::Absent => return Ok(None),
            Contents::Ours { kept } => {
                listed.retain(|key, _| !kept || self.is_page(key));
                Ownership::Ours
            }
            Contents::Adopted => {
                listed.retain(|key, _| self.stack.adopt.contains(&self.address) || self.is_page(key));
                let keys: Vec<&String> = listed.keys().collect();
                let files = text::list(&keys, NAMED_FILES);
                Ownership::Foreign(format!("these files in the bucket would be replaced or deleted: {files}"))
            }
        };
        if listed.is_empty() {
            return Ok(None);
        }
        let config = config?;
        let changed_headers = self.changed_headers(&listed, config.as_ref()).await?;
        let recorded = config.and_then(|config| decoded(&config.metadata?.remove(TAGS_METADATA)?)).unwrap_or_default();
        let fields = self.live_fields(listed, recorded.get(DIGEST_TAG).map(String::as_str));
        Ok(Some(Live {
            id: self.stack.bucket(),
            fields: fields.with(CHANGED_HEADERS, LiveField::Unmanaged(json!(changed_headers))),
            tags: Some(recorded),
            ownership,
            ..Live::default()
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        let headers: BTreeMap<&str, String> = self.files.keys().map(|key| (*key, headers(key))).collect();
        let files = self.files.iter().map(|(key, body)| ((*key).to_owned(), Field::known(body.md5.as_str())));
        files
            .collect::<Fields>()
            .with(UNEXPECTED, json!([]))
            .with(HEADERS, json!(headers))
            .with(CHANGED_HEADERS, json!({}))
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
        let other_headers = |key: &str| match live.fields.field(CHANGED_HEADERS) {
            Some(LiveField::Unmanaged(Value::Object(changed))) => changed.contains_key(key),
            _ => false,
        };
        let changed = |key: &&str| changes.has(HEADERS) || changes.has_named(key) || other_headers(key);
        let keys: Vec<&'static str> =
            self.files.keys().copied().filter(|key| *key != CONFIG_KEY).filter(changed).collect();
        let unexpected = live.fields.texts(UNEXPECTED).into_iter();
        let unwanted: Vec<String> = unexpected.chain(changes.removed_fields().map(str::to_owned)).collect();
        futures::try_join!(self.upload_all(context, keys.clone()), self.remove(context.progress, &unwanted))?;
        // Always, so that it is newer than everything else.
        self.upload(context, CONFIG_KEY).await?;
        let keys = keys.into_iter().chain(changed(&CONFIG_KEY).then_some(CONFIG_KEY));
        let paths = keys.map(str::to_owned).chain(unwanted).collect();
        invalidation::request(&self.stack, context.progress, paths).await;
        Ok(OutputMap::new())
    }

    /// Does nothing: the deletion of the bucket also deletes all objects and their old versions.
    async fn delete(&self, _: &Progress, _: &Live) -> Result<(), ResourceError> {
        Ok(())
    }
}

impl Objects {
    /// Returns whether the file with this key is one of the stack's pages.
    fn is_page(&self, key: &str) -> bool {
        self.files.contains_key(key)
    }

    /// Returns all objects by key, without the programs.
    async fn list(&self) -> Result<BTreeMap<String, Listed>, ResourceError> {
        let mut pages = self.stack.clients.s3.list_objects_v2().bucket(self.stack.bucket()).into_paginator().send();
        let mut found = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let page = page.found(&["NoSuchBucket"], "failed to list the pages in the bucket")?;
            for object in page.and_then(|page| page.contents).unwrap_or_default() {
                let (Some(key), Some(tag)) = (object.key, object.e_tag) else { continue };
                if !key.starts_with(bucket_files::PROGRAMS) {
                    let entity_tag = tag.trim_matches('"').to_owned();
                    found.insert(key, Listed { entity_tag, modified: object.last_modified });
                }
            }
        }
        Ok(found)
    }

    /// Reads the headers of an object; `None` if it does not exist.
    async fn head(&self, key: &str) -> Result<Option<HeadObjectOutput>, ResourceError> {
        let answer = self.stack.clients.s3.head_object().bucket(self.stack.bucket()).key(key).send().await;
        answer.found(&["NotFound", "NoSuchKey", "NoSuchBucket"], "failed to read the headers of a page")
    }

    /// Returns the headers of our files that differ, of `config.json` and of all that are newer than it.
    async fn changed_headers(
        &self,
        listed: &BTreeMap<String, Listed>,
        config: Option<&HeadObjectOutput>,
    ) -> Result<BTreeMap<&'static str, String>, ResourceError> {
        // Without it everything is uploaded again.
        let Some(config) = config else { return Ok(BTreeMap::new()) };
        let uploaded = listed.get(CONFIG_KEY).and_then(|listed| listed.modified);
        let is_newer = |key: &str| listed.get(key).is_some_and(|listed| listed.modified > uploaded);
        let mut newer: Vec<BoxFuture<'_, Result<_, ResourceError>>> = Vec::new();
        for key in self.files.keys().copied().filter(|key| is_newer(key)) {
            newer.push(Box::pin(async move { Ok((key, self.head(key).await?)) }));
        }
        let newer: Vec<_> = stream::iter(newer).buffer_unordered(CONCURRENCY).try_collect().await?;
        let found = newer.iter().filter_map(|(key, head)| Some((*key, head.as_ref()?))).chain([(CONFIG_KEY, config)]);
        let found = found.map(|(key, head)| (key, live_headers(head)));
        Ok(found.filter(|(key, found)| *found != headers(key)).collect())
    }

    fn live_fields(&self, listed: BTreeMap<String, Listed>, digest: Option<&str>) -> LiveFields {
        let applied = Applied::decode(digest, self.files.len());
        let listed = listed.into_iter().map(|(key, listed)| (key, LiveField::known(listed.entity_tag)));
        // What an older version has uploaded is a field of its own too, so that the plan names it.
        let (files, others): (Vec<_>, Vec<_>) =
            listed.partition(|(key, tag)| self.files.contains_key(key.as_str()) || applied.was_applied(key, tag));
        let others: Vec<String> = others.into_iter().map(|(key, _)| key).collect();
        files
            .into_iter()
            .collect::<LiveFields>()
            .with(UNEXPECTED, LiveField::Unmanaged(json!(others)))
            .with(HEADERS, LiveField::Unreadable)
    }

    async fn upload_all(&self, context: &ApplyContext<'_>, keys: Vec<&'static str>) -> Result<(), ResourceError> {
        let mut uploads: Vec<BoxFuture<'_, Result<(), ResourceError>>> = Vec::with_capacity(keys.len());
        for key in keys {
            uploads.push(Box::pin(self.upload(context, key)));
        }
        stream::iter(uploads).buffer_unordered(CONCURRENCY).try_collect().await
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

/// An object as S3 lists it.
struct Listed {
    /// The MD5 of its content.
    entity_tag: String,
    modified: Option<DateTime>,
}

/// Returns the content type and the cache header of a file, in one line.
fn headers(key: &str) -> String {
    format!("{} {}", pages::content_type(key), pages::cache_control(key))
}

fn live_headers(head: &HeadObjectOutput) -> String {
    format!("{} {}", head.content_type().unwrap_or("-"), head.cache_control().unwrap_or("-"))
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
        let tags = Tags::from([("peersync:digest".to_owned(), "2.abcdefghi".to_owned())]);
        assert_eq!(decoded(&encoded(&tags)), Some(tags));
        assert_eq!(decoded("no base64!"), None);
    }

    #[test]
    fn unexpected_objects_are_read_from_the_live_fields() {
        let fields = LiveFields::new().with(UNEXPECTED, LiveField::Unmanaged(json!(["old.js", "a b"])));
        assert_eq!(fields.texts(UNEXPECTED), ["old.js", "a b"]);
        assert!(LiveFields::new().texts(UNEXPECTED).is_empty());
    }
}
