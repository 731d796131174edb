//! The server programs in the bucket: the functions are created from one, and the host downloads the other. Nobody else
//! may read them.
//!
//! All functions share one upload.

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
use crate::programs::{self, Program};
use crate::stack::Stack;

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances };
const NAME: &str = "s3_program";

/// The prefix of the programs in the bucket, which the distribution does not serve.
pub const PREFIX: &str = "programs/";
/// The key of the compressed signaling program.
pub const SIGNAL_KEY: &str = "programs/signal.gz";
/// The key of the archive from which Lambda creates the functions.
pub const API_KEY: &str = "programs/api.zip";
/// The metadata with the SHA-256 of the program in hexadecimal.
const SHA256_METADATA: &str = "sha256";

/// A program and the object that is uploaded for it.
struct Upload {
    program: &'static Program,
    /// The SHA-256 of the program.
    sha256: &'static str,
    key: &'static str,
    bytes: &'static [u8],
    /// The MD5 of `bytes`.
    md5: &'static str,
}

const UPLOADS: [Upload; 2] = [
    Upload {
        program: &programs::API,
        sha256: programs::API_SHA256,
        key: API_KEY,
        bytes: programs::API_ZIP,
        md5: programs::API_ZIP_MD5,
    },
    Upload {
        program: &programs::SIGNAL,
        sha256: programs::SIGNAL_SHA256,
        key: SIGNAL_KEY,
        bytes: programs::SIGNAL_GZ,
        md5: programs::SIGNAL_GZ_MD5,
    },
];

/// Returns the address of a program: `api` or `signal`.
pub fn address(program: &str) -> Address {
    Address::new(NAME, program)
}

/// Returns the program that the resource with this address uploads.
pub fn program(address: &Address) -> Option<&'static Program> {
    let of_address = |upload: &Upload| address.kind == NAME && address.name == upload.program.name;
    UPLOADS.into_iter().find(of_address).map(|upload| upload.program)
}

struct InBucket {
    stack: Arc<Stack>,
    address: Address,
    upload: Upload,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    let resource = |upload: Upload| {
        Arc::new(InBucket { stack: stack.clone(), address: address(upload.program.name), upload }) as Arc<dyn Resource>
    };
    UPLOADS.into_iter().map(resource).collect()
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let bucket = s3_bucket::bucket_arn(stack);
    // Lambda reads the archive with the caller's permissions.
    let objects = UPLOADS.iter().map(|upload| format!("{bucket}/{}", upload.key)).collect();
    vec![Permission { actions: vec!["s3:GetObject", "s3:PutObject"], resources: objects }]
}

#[async_trait]
impl Resource for InBucket {
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
        let key = self.upload.key;
        let call = self.stack.clients.s3.head_object().bucket(self.stack.bucket()).key(key).send();
        let (ours, answer) = futures::join!(s3_bucket::is_found(&self.stack), call);
        if !ours? {
            return Ok(None);
        }
        let absent = ["NotFound", "NoSuchKey", "NoSuchBucket"];
        let Some(answer) = answer.found(&absent, "failed to read the metadata of a program in the bucket")? else {
            return Ok(None);
        };
        let md5 = answer.e_tag.as_deref().unwrap_or_default().trim_matches('"');
        let recorded = answer.metadata.as_ref().and_then(|metadata| metadata.get(SHA256_METADATA)).cloned();
        Ok(Some(Live {
            id: key.to_owned(),
            fields: [("md5".to_owned(), LiveField::known(md5)), ("sha256".to_owned(), LiveField::known(recorded))]
                .into(),
            ..Live::default()
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        [("md5".to_owned(), Field::known(self.upload.md5)), ("sha256".to_owned(), Field::known(self.upload.sha256))]
            .into()
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        let Upload { key, bytes, sha256, .. } = self.upload;
        s3_bucket::retry_passing(context.progress, || async {
            let call = self.stack.clients.s3.put_object().bucket(self.stack.bucket()).key(key);
            let call = call.body(ByteStream::from_static(bytes)).metadata(SHA256_METADATA, sha256);
            let call =
                call.server_side_encryption(ServerSideEncryption::Aes256).content_type("application/octet-stream");
            call.send().await.context("failed to upload a program").map(|_| ())
        })
        .await?;
        Ok(OutputMap::new())
    }

    async fn update(&self, context: &ApplyContext<'_>, _: &Live, _: &Changes) -> Result<OutputMap, ResourceError> {
        self.create(context).await
    }

    /// Does nothing: the deletion of the bucket also deletes all objects and their old versions.
    async fn delete(&self, _: &Progress, _: &Live) -> Result<(), ResourceError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_have_the_prefix_that_is_not_served() {
        assert!(UPLOADS.iter().all(|upload| upload.key.starts_with(PREFIX)));
    }

    #[test]
    fn address_maps_to_its_program() {
        for name in ["api", "signal"] {
            assert_eq!(program(&address(name)).map(|program| program.name), Some(name));
        }
        assert!(program(&Address::new("s3_objects", "signal")).is_none());
    }
}
