//! The programs that no host and no function of the stack uses any more, because it has changed to other processors.
//!
//! They are deleted once the host that was given them has ended, which could need them until then. Lambda has copied those of
//! the functions. Their old versions end with the others of the bucket.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::{NAME, UPLOADS, architecture, key};
use crate::kinds::bucket_files::PROGRAMS;
use crate::kinds::bucket_objects;
use crate::kinds::s3_bucket::{self, Contents};
use crate::stack::Stack;
use peersync_engine::{
    Address, ApplyContext, Changes, FieldName, Fields, Live, LiveFields, OutputMap, Outputs, Progress, Resource,
    ResourceError, SharedReads,
};

/// The keys of the programs.
const KEYS: FieldName = FieldName::new("keys");

/// Returns the address of the former programs.
pub fn address() -> Address {
    Address::new(NAME, "former")
}

pub(super) struct Former {
    pub(super) stack: Arc<Stack>,
    pub(super) address: Address,
}

#[async_trait]
impl Resource for Former {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(PROGRAMS.to_owned())
    }

    fn dependencies(&self) -> Vec<Address> {
        vec![s3_bucket::address()]
    }

    fn taggable(&self) -> bool {
        false
    }

    fn enabled(&self) -> bool {
        false
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let (contents, listed) =
            futures::try_join!(s3_bucket::contents(&self.stack, reads), bucket_objects::listed(&self.stack, reads))?;
        if !matches!(contents, Contents::Ours { .. }) {
            return Ok(None);
        }
        let used: BTreeSet<&str> = UPLOADS.iter().map(|name| key(name, architecture(&self.stack, name))).collect();
        let is_former = |key: &&String| key.starts_with(PROGRAMS) && !used.contains(key.as_str());
        let keys: Vec<&String> = listed.keys().filter(is_former).collect();
        let live =
            || Live { id: PROGRAMS.to_owned(), fields: LiveFields::new().with(KEYS, json!(keys)), ..Live::default() };
        Ok((!keys.is_empty()).then(live))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        Fields::new()
    }

    async fn create(&self, _: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        Ok(OutputMap::new())
    }

    async fn update(&self, _: &ApplyContext<'_>, live: &Live, _: &Changes) -> Result<OutputMap, ResourceError> {
        Ok(live.outputs.clone())
    }

    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        bucket_objects::remove(&self.stack, progress, &live.fields.texts(KEYS)).await
    }
}
