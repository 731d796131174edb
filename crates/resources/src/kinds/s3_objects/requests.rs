//! What is sent to the bucket: uploads, and reads of single objects.

use std::borrow::Cow;

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;
use futures::future::BoxFuture;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Body, CONCURRENCY, Objects, RELEASE_METADATA, SIGNAL_METADATA, TAGS_METADATA, encoded, releases};
use crate::kinds::bucket_objects;
use crate::kinds::s3_bucket;
use crate::pages::release::keeps_name;
use crate::pages::{self, CONFIG_KEY};
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{ApplyContext, Progress, ResourceError, SharedReads};

impl Objects {
    /// Reads the headers of an object; `None` if it does not exist.
    pub(super) async fn head(&self, key: &str) -> Result<Option<HeadObjectOutput>, ResourceError> {
        let answer = self.stack.clients.s3.head_object().bucket(self.stack.bucket()).key(key).send().await;
        answer.found(&["NotFound", "NoSuchKey", "NoSuchBucket"], "failed to read the headers of a page")
    }

    /// Marks the releases that are no longer current, and deletes those that have not been for a day.
    pub(super) async fn turn_over(&self, progress: &Progress, previous: &str) -> Result<(), ResourceError> {
        let reads = SharedReads::default();
        let (contents, listed) =
            futures::try_join!(s3_bucket::contents(&self.stack, &reads), bucket_objects::list(&self.stack))?;
        let turnover = releases::turnover(&self.visible(contents, listed), previous, &self.release);
        for mark in &turnover.marks {
            s3_bucket::retry_transient(progress, || async {
                let call = self.stack.clients.s3.put_object().bucket(self.stack.bucket()).key(mark);
                let call = call.content_type("text/plain").cache_control(pages::cache_control(mark));
                call.send().await.context("failed to mark an earlier release of the pages").map(|_| ())
            })
            .await?;
        }
        bucket_objects::remove(&self.stack, progress, &turnover.expired).await
    }

    /// Uploads the `wanted` files but `config.json`: first those of the release, then the pages that name it.
    pub(super) async fn upload_all(
        &self,
        context: &ApplyContext<'_>,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(), ResourceError> {
        let names = || self.files.keys().copied().filter(|name| *name != CONFIG_KEY && wanted(name));
        let (pages, parts): (Vec<_>, Vec<_>) = names().partition(|name| keeps_name(name));
        for names in [parts, pages] {
            let mut uploads: Vec<BoxFuture<'_, Result<(), ResourceError>>> = Vec::with_capacity(names.len());
            for name in names {
                uploads.push(Box::pin(self.upload(context, name)));
            }
            stream::iter(uploads).buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
        }
        Ok(())
    }

    pub(super) async fn upload(&self, context: &ApplyContext<'_>, name: &'static str) -> Result<(), ResourceError> {
        let Some(Body { key, bytes, .. }) = self.files.get(name) else { return Ok(()) };
        let tags = (name == CONFIG_KEY).then(|| encoded(context.tags));
        s3_bucket::retry_transient(context.progress, || async {
            let bytes = match bytes {
                Cow::Borrowed(bytes) => ByteStream::from_static(bytes),
                Cow::Owned(bytes) => ByteStream::from(bytes.clone()),
            };
            let mut call = self.stack.clients.s3.put_object().bucket(self.stack.bucket()).key(key).body(bytes);
            call = call.content_type(pages::content_type(key)).cache_control(pages::cache_control(key));
            // Set explicitly, because with other encryption than this the entity tag is not the MD5.
            call = call.server_side_encryption(ServerSideEncryption::Aes256);
            if let Some(tags) = &tags {
                call = call.metadata(TAGS_METADATA, tags).metadata(RELEASE_METADATA, &self.release);
                let signal = self.stack.signal_path();
                if !signal.is_empty() {
                    call = call.metadata(SIGNAL_METADATA, signal);
                }
            }
            call.send().await.context("failed to upload a page").map(|_| ())
        })
        .await
    }
}
