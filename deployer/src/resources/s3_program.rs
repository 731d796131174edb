//! The signaling program in the bucket, where the host fetches it. Nobody else may read it.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;

use super::{Kind, Permission, s3_bucket};
use crate::aws::{Context as _, NotFound as _};
use crate::engine::{
    Address, ApplyContext, Changes, Field, Fields, Live, LiveField, OutputMap, Outputs, Progress, Resource,
    ResourceError,
};
use crate::programs;
use crate::stack::Stack;

/// The registry's line.
pub const KIND: Kind = Kind { name: NAME, permissions, instances };
const NAME: &str = "s3_program";

/// Where programs lie in the bucket; the distribution does not serve it.
pub const PREFIX: &str = "programs/";
/// Key of the signaling program.
pub const KEY: &str = "programs/signal";
/// Metadata with the SHA-256 of the program, in hexadecimal.
const SHA256_METADATA: &str = "sha256";

/// The address of the signaling program.
pub fn address() -> Address {
    Address::new(NAME, "signal")
}

struct Program {
    stack: Arc<Stack>,
    address: Address,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(Program { stack: stack.clone(), address: address() })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let object = format!("{}/{KEY}", s3_bucket::bucket_arn(stack));
    vec![Permission { actions: vec!["s3:GetObject", "s3:PutObject"], resources: vec![object] }]
}

#[async_trait]
impl Resource for Program {
    fn address(&self) -> &Address {
        &self.address
    }

    fn dependencies(&self) -> Vec<Address> {
        vec![s3_bucket::address()]
    }

    fn taggable(&self) -> bool {
        false
    }

    async fn observe(&self) -> Result<Option<Live>, ResourceError> {
        let call = self.stack.clients.s3.head_object().bucket(self.stack.bucket()).key(KEY).send();
        let (ours, answer) = futures::join!(s3_bucket::is_ours(&self.stack), call);
        if !ours? {
            return Ok(None);
        }
        let absent = ["NotFound", "NoSuchKey", "NoSuchBucket"];
        let Some(answer) = answer.found(&absent, "failed to look at the program in the bucket")? else {
            return Ok(None);
        };
        let md5 = answer.e_tag.as_deref().unwrap_or_default().trim_matches('"');
        let recorded = answer.metadata.as_ref().and_then(|metadata| metadata.get(SHA256_METADATA)).cloned();
        Ok(Some(Live {
            id: KEY.to_owned(),
            fields: [("md5".to_owned(), LiveField::known(md5)), ("sha256".to_owned(), LiveField::known(recorded))]
                .into(),
            outputs: OutputMap::new().with("sha256", programs::SIGNAL_SHA256),
            ..Live::default()
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        [
            ("md5".to_owned(), Field::known(programs::SIGNAL_MD5)),
            ("sha256".to_owned(), Field::known(programs::SIGNAL_SHA256)),
        ]
        .into()
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        // An endpoint that stands for AWS has no host to run it.
        if self.stack.clients.endpoint_url.is_none() {
            programs::check(&programs::SIGNAL)?;
        }
        s3_bucket::retry_passing(context.progress, || async {
            let call = self.stack.clients.s3.put_object().bucket(self.stack.bucket()).key(KEY);
            let call = call
                .body(ByteStream::from_static(programs::SIGNAL.bytes))
                .metadata(SHA256_METADATA, programs::SIGNAL_SHA256);
            let call =
                call.server_side_encryption(ServerSideEncryption::Aes256).content_type("application/octet-stream");
            call.send().await.context("failed to upload the signaling program").map(|_| ())
        })
        .await?;
        Ok(OutputMap::new().with("sha256", programs::SIGNAL_SHA256))
    }

    async fn update(&self, context: &ApplyContext<'_>, _: &Live, _: &Changes) -> Result<OutputMap, ResourceError> {
        self.create(context).await
    }

    /// Nothing: the bucket is emptied, old versions included, when it is deleted itself.
    async fn delete(&self, _: &Progress, _: &Live) -> Result<(), ResourceError> {
        Ok(())
    }
}
