//! Finds resources of PeerSync without knowing their names: by their tags, or by their mark if they cannot carry tags.
//!
//! The graph contains the resources that the configuration describes. A search finds what it does not: stacks that no
//! configuration is at hand for, and what is left of a stack under another name, such as a bucket that was renamed or
//! what an interrupted run created twice. The tagging API is not used: it shows deleted resources for hours and new
//! ones late, and lacks some kinds.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;

use crate::stack::{STACK_TAG, Stack};
use peersync_aws::{Clients, Identity};
use peersync_engine::{
    Address, ApplyContext, Changes, Fields, Live, OutputMap, Outputs, Progress, Resource, ResourceError, SharedReads,
    Tags,
};

/// Where a search looks.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The clients for the region.
    pub clients: &'a Clients,
    /// The account.
    pub identity: &'a Identity,
    /// The reads of what is global to the account, so that searches in several regions make them once.
    pub global: &'a SharedReads,
}

impl Scope<'_> {
    /// Returns an ARN in the region and the account: `arn:{partition}:{service}:{region}:{account}:{resource}`.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let Identity { partition, account, .. } = self.identity;
        format!("arn:{partition}:{service}:{}:{account}:{resource}", self.clients.region)
    }
}

/// A resource that may belong to a stack.
#[derive(Clone, Debug, Default)]
pub struct Candidate {
    /// What identifies it among the resources of its kind: the id of its [`Live`].
    pub id: String,
    /// The name of the stack that its name or description tells; `None` if only its tags tell one.
    pub stack: Option<String>,
    /// Its tags; `None` if they must be read.
    pub tags: Option<Tags>,
    /// When it was created, if its listing tells.
    pub created: Option<SystemTime>,
}

impl Candidate {
    /// Returns a candidate whose name tells its stack.
    pub fn named(id: impl Into<String>, stack: &str) -> Self {
        Self { id: id.into(), stack: Some(stack.to_owned()), ..Self::default() }
    }

    /// Returns a candidate without a telling name, but with tags.
    pub fn tagged(id: impl Into<String>, tags: Tags) -> Self {
        Self { id: id.into(), stack: tags.get(STACK_TAG).cloned(), tags: Some(tags), ..Self::default() }
    }

    /// Sets when it was created, from an SDK's time.
    pub fn created(self, time: Option<&aws_smithy_types::DateTime>) -> Self {
        Self { created: time.and_then(|time| SystemTime::try_from(*time).ok()), ..self }
    }
}

/// Builds the resource of a stack that deletes the one with this id.
pub type LeftoverOf = fn(&Arc<Stack>, &str) -> Arc<dyn Resource>;

/// How the resources of a kind are found. Kinds that cannot carry tags need no search: what they depend on can, and stays
/// until they are deleted.
#[async_trait]
pub trait Search: Send + Sync {
    /// Lists the resources of this kind that may belong to a stack in the scope.
    async fn candidates(&self, scope: &Scope<'_>) -> Result<Vec<Candidate>, ResourceError>;

    /// Reads the tags of a candidate whose listing did not tell them; `None` if it no longer exists.
    async fn tags(&self, scope: &Scope<'_>, id: &str) -> Result<Option<Tags>, ResourceError> {
        let _ = (scope, id);
        Ok(None)
    }

    /// Returns how to build the resource that deletes the one with an id, for kinds of which a stack can have one that its
    /// graph does not find.
    fn leftover(&self) -> Option<LeftoverOf> {
        None
    }

    /// Returns the actions of the search, for IAM policies. They apply to all resources.
    fn actions(&self) -> &'static [&'static str];
}

/// Returns the candidate with its tags, which are read if its listing did not tell them; `None` if it no longer exists.
///
/// # Errors
/// The tags cannot be read.
pub async fn with_tags(
    search: &dyn Search,
    scope: &Scope<'_>,
    candidate: Candidate,
) -> Result<Option<Candidate>, ResourceError> {
    if candidate.tags.is_some() {
        return Ok(Some(candidate));
    }
    let tags = search.tags(scope, &candidate.id).await?;
    Ok(tags.map(|tags| Candidate { tags: Some(tags), ..candidate }))
}

/// Something of a stack that the configuration does not describe, to be deleted.
pub struct Leftover {
    address: Address,
    live: Live,
    inner: Arc<dyn Resource>,
}

impl Leftover {
    /// Wraps the resource that deletes it. Its address is its kind with its id.
    pub fn new(inner: Arc<dyn Resource>, id: &str, tags: Tags) -> Self {
        let address = Address::new(inner.address().kind, id);
        Self { address, live: Live { id: id.to_owned(), tags: Some(tags), ..Live::default() }, inner }
    }

    /// Returns it as it was found.
    pub fn live(&self) -> &Live {
        &self.live
    }
}

#[async_trait]
impl Resource for Leftover {
    fn address(&self) -> &Address {
        &self.address
    }

    fn dependencies(&self) -> Vec<Address> {
        self.inner.dependencies()
    }

    fn enabled(&self) -> bool {
        false
    }

    async fn observe(&self, _: &SharedReads) -> Result<Option<Live>, ResourceError> {
        Ok(Some(self.live.clone()))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        Fields::new()
    }

    async fn create(&self, _: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        Err(ResourceError::new("something that is not part of the configuration cannot be created"))
    }

    async fn update(&self, _: &ApplyContext<'_>, _: &Live, _: &Changes) -> Result<OutputMap, ResourceError> {
        Err(ResourceError::new("something that is not part of the configuration cannot be changed"))
    }

    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        self.inner.delete(progress, live).await
    }
}
