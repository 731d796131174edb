//! The server programs in the bucket: the functions are made from one, the host fetches the other. Nobody else may
//! read them.
//!
//! One upload serves all functions, and none of them is ever held in memory for another.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;

use super::{Kind, Permission, s3_bucket};
use crate::artifacts::Program;
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{
    Address, ApplyContext, Changes, Field, Fields, Live, LiveField, OutputMap, Outputs, Progress, Resource,
    ResourceError,
};

/// The registry's line.
pub const KIND: Kind = Kind { name: NAME, permissions, instances };
const NAME: &str = "s3_program";

/// Where programs lie in the bucket; the distribution does not serve it.
pub const PREFIX: &str = "programs/";
/// Key of the signaling program, compressed.
pub const SIGNAL_KEY: &str = "programs/signal.gz";
/// Key of the archive from which Lambda makes the functions.
pub const API_KEY: &str = "programs/api.zip";
/// Metadata with the SHA-256 of the program, in hexadecimal.
const SHA256_METADATA: &str = "sha256";

/// Names of the programs in addresses.
pub const API: &str = "api";
/// Names of the programs in addresses.
pub const SIGNAL: &str = "signal";

/// The programs, with the key under which each lies in the bucket.
const UPLOADS: [(&str, &str); 2] = [(API, API_KEY), (SIGNAL, SIGNAL_KEY)];

/// The address of a program: `api` or `signal`.
pub fn address(program: &str) -> Address {
    Address::new(NAME, program)
}

/// The program that a resource of this kind uploads.
pub fn program<'a>(stack: &'a Stack, address: &Address) -> Option<&'a Program> {
    if address.kind != NAME {
        return None;
    }
    match address.name.as_str() {
        API => Some(&stack.artifacts.api),
        SIGNAL => Some(&stack.artifacts.signal),
        _ => None,
    }
}

struct InBucket {
    stack: Arc<Stack>,
    address: Address,
    key: &'static str,
    program: Program,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    let resource = |(name, key)| {
        let address = address(name);
        let program = *program(stack, &address)?;
        Some(Arc::new(InBucket { stack: stack.clone(), address, key, program }) as Arc<dyn Resource>)
    };
    UPLOADS.into_iter().filter_map(resource).collect()
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let bucket = s3_bucket::bucket_arn(stack);
    // Lambda reads the archive in the caller's name.
    let objects = UPLOADS.iter().map(|(_, key)| format!("{bucket}/{key}")).collect();
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

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let key = self.key;
        let call = self.stack.clients.s3.head_object().bucket(self.stack.bucket()).key(key).send();
        let (ours, answer) = futures::join!(s3_bucket::is_found(&self.stack, reads), call);
        if !ours? {
            return Ok(None);
        }
        let absent = ["NotFound", "NoSuchKey", "NoSuchBucket"];
        let Some(answer) = answer.found(&absent, "failed to look at a program in the bucket")? else {
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
        [
            ("md5".to_owned(), Field::known(self.program.package_md5)),
            ("sha256".to_owned(), Field::known(self.program.elf_sha256)),
        ]
        .into()
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        let Program { package, elf_sha256, .. } = self.program;
        s3_bucket::retry_passing(context.progress, || async {
            let call = self.stack.clients.s3.put_object().bucket(self.stack.bucket()).key(self.key);
            let call = call.body(ByteStream::from_static(package)).metadata(SHA256_METADATA, elf_sha256);
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

    /// Nothing: the bucket is emptied, old versions included, when it is deleted itself.
    async fn delete(&self, _: &Progress, _: &Live) -> Result<(), ResourceError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_lie_where_the_distribution_does_not_look() {
        assert!(UPLOADS.iter().all(|(_, key)| key.starts_with(PREFIX)));
    }

    #[tokio::test]
    async fn each_address_has_its_program() {
        let stack = Stack::for_tests(peersync_config::Config::default()).await;
        for name in [API, SIGNAL] {
            assert_eq!(program(&stack, &address(name)).map(|program| program.name), Some(name));
        }
        assert!(program(&stack, &Address::new("s3_objects", SIGNAL)).is_none());
    }
}
