//! The pages in the bucket, as a single resource: changed files are uploaded, and those that no longer exist removed.
//!
//! Files are compared by checksum, not by date: the entity tag of an object that was uploaded in one part and is
//! encrypted with S3's own keys is its MD5. Each file is a separate field, so that the plan names it. The digest of
//! that many fields does not fit in a tag, so it is stored as metadata of `config.json`. That is uploaded last, so that
//! an interrupted upload is detected. An object that is newer than `config.json` was put by somebody else, and its
//! headers are read; those of the others are as they were uploaded, and S3 would need a request for each.
//!
//! Scripts, styles and pictures lie in the folder of their release ([`Site`]), and a field has the name of the file without
//! it, so that a plan names what differs between two releases. A new release is uploaded as a whole before the pages that
//! name it. Earlier ones stay for a while, see [`releases`].

mod releases;
mod requests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::BoxFuture;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

pub use super::bucket_files::pages_address as address;
use super::bucket_files::{self, PAGES_KIND, PROGRAMS};
use super::bucket_objects::{self, Listed, Listing};
use super::s3_bucket::{self, Contents};
use super::{Kind, invalidation, signal_instance};
use crate::pages::release::{self, keeps_name, key_in};
use crate::pages::{self, CONFIG_KEY, Site};
use crate::permission::Permission;
use crate::stack::Stack;
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
/// The metadata of `config.json` that says which release was uploaded before it.
pub const RELEASE_METADATA: &str = "peersync-release";
/// The same as an output: the release that pages now begin with.
const RELEASE: &str = "release";
/// The metadata of `config.json` that says which way in it tells, as it is in the file.
const SIGNAL_METADATA: &str = "peersync-signal";
/// The same as an output.
const SIGNAL: &str = "signal";
/// The maximum number of files that a conflict names.
const NAMED_FILES: usize = 12;
/// The maximum number of concurrent requests for files.
const CONCURRENCY: usize = 16;

struct Objects {
    stack: Arc<Stack>,
    address: Address,
    release: String,
    /// The files by their names.
    files: BTreeMap<&'static str, Body>,
}

/// The content of a file with its key and its checksum.
struct Body {
    key: String,
    bytes: Cow<'static, [u8]>,
    md5: String,
}

impl Body {
    fn new(key: impl Into<String>, bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        let bytes = bytes.into();
        let md5 = hex::encode(Md5::digest(&bytes));
        Self { key: key.into(), bytes, md5 }
    }
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    let config = pages::config_json(&stack.signal_path(), &stack.config.stage);
    let site = Site::new(&stack.artifacts.pages);
    let files = site.files().map(|(name, file)| (name, Body::new(&file.key, file.content.clone())));
    let files = files.chain([(CONFIG_KEY, Body::new(CONFIG_KEY, config.into_bytes()))]).collect();
    vec![Arc::new(Objects { stack: stack.clone(), address: address(), release: site.release().to_owned(), files })]
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

    /// If `config.json` names a path, pages go by it, whatever the functions tell. If it does not, they go by the functions.
    fn leads_to(&self) -> Vec<Address> {
        rule!("pages-lead-to-a-host-that-answers", vec![signal_instance::address()])
    }

    fn leads_elsewhere(&self, live: &Live, changes: &Changes) -> bool {
        let told = live.outputs.get(SIGNAL).map(|signal| signal.value());
        let named = self.stack.signal_path();
        changes.has_named(CONFIG_KEY) && named.starts_with('/') && told != Some(&named)
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let (contents, listed, config) = futures::join!(
            s3_bucket::contents(&self.stack, reads),
            bucket_objects::listed(&self.stack, reads),
            self.head(CONFIG_KEY)
        );
        let (contents, listed) = (contents?, listed?);
        let mut listed = self.visible(contents, Arc::unwrap_or_clone(listed));
        let ownership = match contents {
            Contents::Absent => return Ok(None),
            Contents::Ours { .. } => Ownership::Ours,
            Contents::Adopted => {
                let keys: Vec<&String> = listed.keys().collect();
                let files = text::list(&keys, NAMED_FILES);
                Ownership::Foreign(format!("these files in the bucket would be replaced or deleted: {files}"))
            }
        };
        if listed.is_empty() {
            return Ok(None);
        }
        let config = config?;
        let metadata = |name: &str| config.as_ref()?.metadata()?.get(name);
        let recorded = metadata(TAGS_METADATA).and_then(|tags| decoded(tags)).unwrap_or_default();
        // Without a record, somebody has replaced the file, or an earlier version has written it.
        let recorded_release = metadata(RELEASE_METADATA).cloned();
        let known = [(RELEASE, recorded_release.as_ref()), (SIGNAL, metadata(SIGNAL_METADATA))];
        let known = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let outputs = known.fold(OutputMap::new(), |outputs, (name, value)| outputs.with(name, value));
        let current = recorded_release.unwrap_or_else(|| self.release.clone());
        let changed_headers = self.changed_headers(&listed, &current, config.as_ref()).await?;
        let uploaded = listed.get(CONFIG_KEY).and_then(|config| config.modified);
        // Earlier releases are no difference. Of the names that files had without releases, others may be somebody else's.
        let earlier = |object: &Listed| contents == Contents::Ours { kept: false } && object.modified <= uploaded;
        listed.retain(|key, object| match release::release_of(key) {
            Some(release::WITHOUT_FOLDER) => !(earlier(object) || key == &release::mark_of(release::WITHOUT_FOLDER)),
            Some(release) => release == current,
            None => true,
        });
        let fields = self.live_fields(listed, &current, recorded.get(DIGEST_TAG).map(String::as_str));
        Ok(Some(Live {
            id: self.stack.bucket(),
            fields: fields.with(CHANGED_HEADERS, LiveField::Unmanaged(json!(changed_headers))),
            tags: Some(recorded),
            ownership,
            outputs,
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        let headers: BTreeMap<&str, String> =
            self.files.iter().map(|(name, body)| (*name, headers(&body.key))).collect();
        let files = self.files.iter().map(|(name, body)| ((*name).to_owned(), Field::known(body.md5.as_str())));
        files
            .collect::<Fields>()
            .with(UNEXPECTED, json!([]))
            .with(HEADERS, json!(headers))
            .with(CHANGED_HEADERS, json!({}))
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        self.upload_all(context, |_| true).await?;
        self.upload(context, CONFIG_KEY).await?;
        Ok(self.outputs())
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        let previous = live.outputs.get(RELEASE).map(|release| release.value()).unwrap_or_default();
        let is_new = previous != self.release;
        let other_headers = |name: &str| match live.fields.field(CHANGED_HEADERS) {
            Some(LiveField::Unmanaged(Value::Object(changed))) => changed.contains_key(name),
            _ => false,
        };
        let changed = |name: &str| changes.has(HEADERS) || changes.has_named(name) || other_headers(name);
        self.upload_all(context, |name| changed(name) || (is_new && !keeps_name(name))).await?;
        // What the previous release alone has stays with it.
        let removed = changes.removed_fields().filter(|name| !is_new || keeps_name(name)).map(|name| self.key_of(name));
        let unwanted: Vec<String> = live.fields.texts(UNEXPECTED).into_iter().chain(removed).collect();
        bucket_objects::remove(&self.stack, context.progress, &unwanted).await?;
        if is_new {
            self.turn_over(context.progress, previous).await?;
        }
        // Always, so that it is newer than everything else.
        self.upload(context, CONFIG_KEY).await?;
        // The edge keeps only what has changed under its name although its headers said that it would not.
        let repaired = self.files.iter().filter(|(name, _)| match keeps_name(name) {
            true => other_headers(name),
            false => !is_new && changed(name),
        });
        let paths = repaired.map(|(_, body)| body.key.clone()).chain(unwanted).collect();
        invalidation::request(&self.stack, paths).await?;
        Ok(self.outputs())
    }

    /// Does nothing: the deletion of the bucket also deletes all objects and their old versions.
    async fn delete(&self, _: &Progress, _: &Live) -> Result<(), ResourceError> {
        Ok(())
    }
}

impl Objects {
    fn outputs(&self) -> OutputMap {
        let outputs = OutputMap::new().with(RELEASE, &self.release);
        match self.stack.signal_path() {
            path if path.is_empty() => outputs,
            path => outputs.with(SIGNAL, path),
        }
    }

    /// Returns the key of the file with this name, also of one that the release no longer has.
    fn key_of(&self, name: &str) -> String {
        if keeps_name(name) { name.to_owned() } else { key_in(&self.release, name) }
    }

    /// Returns those of the listed objects that are the stack's to replace and to delete, without the programs.
    fn visible(&self, contents: Contents, mut listed: Listing) -> Listing {
        let all = match contents {
            Contents::Absent => false,
            Contents::Ours { kept } => !kept,
            Contents::Adopted => self.stack.adopt.contains(&self.address),
        };
        listed.retain(|key, _| !key.starts_with(PROGRAMS) && (all || bucket_files::is_ours(&self.stack, key)));
        listed
    }

    /// Returns the headers of our files that differ, of `config.json` and of all that are newer than it, by name.
    async fn changed_headers(
        &self,
        listed: &Listing,
        current: &str,
        config: Option<&HeadObjectOutput>,
    ) -> Result<BTreeMap<&'static str, String>, ResourceError> {
        // Without it everything is uploaded again.
        let Some(config) = config else { return Ok(BTreeMap::new()) };
        let uploaded = listed.get(CONFIG_KEY).and_then(|listed| listed.modified);
        let mut newer: Vec<BoxFuture<'_, Result<_, ResourceError>>> = Vec::new();
        for name in self.files.keys().copied() {
            let key = if keeps_name(name) { name.to_owned() } else { key_in(current, name) };
            if listed.get(&key).is_some_and(|listed| listed.modified > uploaded) {
                newer.push(Box::pin(async move { Ok((name, self.head(&key).await?)) }));
            }
        }
        let newer: Vec<_> = stream::iter(newer).buffer_unordered(CONCURRENCY).try_collect().await?;
        let found = newer.iter().filter_map(|(name, head)| Some((*name, head.as_ref()?)));
        let found = found.chain([(CONFIG_KEY, config)]).map(|(name, head)| (name, live_headers(head)));
        Ok(found.filter(|(name, found)| *found != headers(&self.key_of(name))).collect())
    }

    /// Returns the fields of these objects, of which none belongs to another release than the `current` one.
    fn live_fields(&self, listed: Listing, current: &str, digest: Option<&str>) -> LiveFields {
        let applied = Applied::decode(digest, self.files.len());
        let mut others = Vec::new();
        let mut files = LiveFields::new();
        for (key, listed) in listed {
            let name = match release::parts(&key) {
                Some((release, name)) if release == current => Some(name),
                _ => Some(key.as_str()).filter(|name| keeps_name(name)),
            };
            let tag = LiveField::known(listed.entity_tag);
            // What an older version has uploaded is a field of its own too, so that the plan names it.
            match name.filter(|name| self.files.contains_key(name) || applied.was_applied(name, &tag)) {
                Some(name) => files.extend([(name.to_owned(), tag)]),
                // Of an earlier time; it is written again when the release is replaced.
                None if key == release::mark_of(current) => {}
                None => others.push(key),
            }
        }
        files.with(UNEXPECTED, LiveField::Unmanaged(json!(others))).with(HEADERS, LiveField::Unreadable)
    }
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
