//! The server programs in the bucket: the functions are created from one, and the host downloads the others. Nobody else
//! may read them.
//!
//! All functions share one upload.

mod former;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;

use super::s3_bucket::{self, Contents};
use super::{Kind, bucket_files};
use crate::artifacts::Program;
use crate::permission::Permission;
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _};
use peersync_config::Architecture;
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

/// The metadata with the SHA-256 of the program in hexadecimal.
const SHA256_METADATA: &str = "sha256";

/// The name of the API program in addresses.
pub const API: &str = "api";
/// The name of the signaling program in addresses.
pub const SIGNAL: &str = "signal";
/// The name of the relay in addresses.
pub const RELAY: &str = "relay";

/// The names of the programs. The relay is among them even if the host does not run it, so that a change of the provider need
/// not delete anything.
const UPLOADS: [&str; 3] = [API, SIGNAL, RELAY];

/// Returns the key of a program in the bucket. Those for arm64 have keys of their own, so that a change of the processors
/// overwrites no program that the host of before was given.
pub fn key(program: &str, architecture: Architecture) -> &'static str {
    match (architecture, program) {
        (Architecture::X86_64, API) => "programs/api.zip",
        (Architecture::X86_64, SIGNAL) => "programs/signal.gz",
        (Architecture::X86_64, _) => "programs/relay.gz",
        (Architecture::Arm64, API) => "programs/arm64/api.zip",
        (Architecture::Arm64, SIGNAL) => "programs/arm64/signal.gz",
        (Architecture::Arm64, _) => "programs/arm64/relay.gz",
    }
}

pub use self::former::address as former_address;

/// Returns the architecture for which the stack needs a program.
pub fn architecture(stack: &Stack, program: &str) -> Architecture {
    if program == API { stack.config.api.architecture } else { stack.config.signaling.architecture() }
}

/// Returns the address of a program: `api`, `signal` or `relay`.
pub fn address(program: &str) -> Address {
    Address::new(NAME, program)
}

/// Returns the program that the resource with this address uploads.
pub fn program(stack: &Stack, address: &Address) -> Option<&'static Program> {
    if address.kind != NAME {
        return None;
    }
    match address.name.as_str() {
        API => Some(stack.api_program()),
        SIGNAL => Some(stack.signal_program()),
        RELAY => Some(stack.relay_program()),
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
    let resource = |name| {
        let (address, key) = (address(name), key(name, architecture(stack, name)));
        let program = *program(stack, &address)?;
        Some(Arc::new(InBucket { stack: stack.clone(), address, key, program }) as Arc<dyn Resource>)
    };
    let former = former::Former { stack: stack.clone(), address: former::address() };
    UPLOADS.into_iter().filter_map(resource).chain([Arc::new(former) as Arc<dyn Resource>]).collect()
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let bucket = s3_bucket::bucket_arn(stack);
    // Lambda reads the archive with the caller's permissions. Those for all architectures, so that a change of the type or
    // of the functions needs no other policy.
    let objects = format!("{bucket}/{}*", bucket_files::PROGRAMS);
    vec![Permission::new(&["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], vec![objects])]
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
        let keys = Architecture::ALL.iter().flat_map(|one| UPLOADS.map(|name| key(name, *one)));
        let keys: std::collections::BTreeSet<&str> = keys.collect();
        assert!(keys.iter().all(|key| key.starts_with(bucket_files::PROGRAMS)), "{keys:?}");
        assert_eq!(keys.len(), 2 * UPLOADS.len(), "each has its own: {keys:?}");
    }

    #[tokio::test]
    async fn address_maps_to_its_program() {
        let stack = Stack::for_tests(peersync_config::Config::default()).await;
        for name in UPLOADS {
            assert_eq!(program(&stack, &address(name)).map(|program| program.name), Some(name));
        }
        assert!(program(&stack, &Address::new("s3_objects", SIGNAL)).is_none());
    }
}
