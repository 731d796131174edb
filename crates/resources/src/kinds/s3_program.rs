//! The server programs in the bucket: the functions are created from one, and the host downloads the others. Nobody else
//! may read them.
//!
//! All functions share one upload.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;

use super::Kind;
use super::s3_bucket::{self, Contents};
use crate::artifacts::Program;
use crate::permission::Permission;
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{
    Address, ApplyContext, Changes, FieldName, Fields, Live, LiveFields, OutputMap, Outputs, Progress, Resource,
    ResourceError, SharedReads, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: None };
const NAME: &str = "s3_program";

/// The MD5 of what is uploaded, which is the entity tag of the object.
const MD5: FieldName = FieldName::new("md5");
/// The SHA-256 of the program itself.
const SHA256: FieldName = FieldName::new("sha256");

/// The key of the compressed signaling program.
pub const SIGNAL_KEY: &str = "programs/signal.gz";
/// The key of the compressed relay.
pub const RELAY_KEY: &str = "programs/relay.gz";
/// The key of the archive from which Lambda creates the functions.
pub const API_KEY: &str = "programs/api.zip";
/// The metadata with the SHA-256 of the program in hexadecimal.
const SHA256_METADATA: &str = "sha256";

/// The name of the API program in addresses.
pub const API: &str = "api";
/// The name of the signaling program in addresses.
pub const SIGNAL: &str = "signal";
/// The name of the relay in addresses.
pub const RELAY: &str = "relay";

/// The names of the programs with their keys in the bucket. The relay is among them even if the host does not run it, so
/// that a change of the provider need not delete anything.
const UPLOADS: [(&str, &str); 3] = [(API, API_KEY), (SIGNAL, SIGNAL_KEY), (RELAY, RELAY_KEY)];

/// Returns the address of a program: `api`, `signal` or `relay`.
pub fn address(program: &str) -> Address {
    Address::new(NAME, program)
}

/// Returns the program that the resource with this address uploads.
pub fn program<'a>(stack: &'a Stack, address: &Address) -> Option<&'a Program> {
    if address.kind != NAME {
        return None;
    }
    match address.name.as_str() {
        API => Some(&stack.artifacts.api),
        SIGNAL => Some(&stack.artifacts.signal),
        RELAY => Some(&stack.artifacts.relay),
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
    // Lambda reads the archive with the caller's permissions.
    let objects = UPLOADS.iter().map(|(_, key)| format!("{bucket}/{key}")).collect();
    vec![Permission::new(&["s3:GetObject", "s3:PutObject"], objects)]
}

#[async_trait]
impl Resource for InBucket {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.key.to_owned())
    }

    fn dependencies(&self) -> Vec<Address> {
        rule!("program-after-bucket", vec![s3_bucket::address()])
    }

    fn taggable(&self) -> bool {
        false
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let key = self.key;
        let call = self.stack.clients.s3.head_object().bucket(self.stack.bucket()).key(key).send();
        let (contents, answer) = futures::join!(s3_bucket::contents(&self.stack, reads), call);
        if contents? == Contents::Absent {
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
            fields: LiveFields::new().with(MD5, md5).with(SHA256, recorded),
            ..Live::default()
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        Fields::new().with(MD5, self.program.package_md5).with(SHA256, self.program.elf_sha256)
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        let Program { package, elf_sha256, .. } = self.program;
        s3_bucket::retry_transient(context.progress, || async {
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
        assert!(UPLOADS.iter().all(|(_, key)| key.starts_with(crate::kinds::bucket_files::PROGRAMS)));
    }

    #[tokio::test]
    async fn address_maps_to_its_program() {
        let stack = Stack::for_tests(peersync_config::Config::default()).await;
        for name in [API, SIGNAL, RELAY] {
            assert_eq!(program(&stack, &address(name)).map(|program| program.name), Some(name));
        }
        assert!(program(&stack, &Address::new("s3_objects", SIGNAL)).is_none());
    }
}
