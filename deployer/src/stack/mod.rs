//! What a PeerSync stack consists of: its names, its tags, and the graph of its resources.

mod attributed;
mod environment;
mod names;
mod ownership;

pub use names::FUNCTIONS;

use std::sync::Arc;

use self::attributed::Attributed;
use crate::aws::{Clients, Identity};
use crate::config::Config;
use crate::engine::{Graph, GraphError, Resource, Tags};
use crate::resources::{KINDS, Kind, Permission, SharedReads};

/// Tag with the stack's name.
pub const STACK_TAG: &str = "peersync:stack";
/// Tag with the stage's name.
pub const STAGE_TAG: &str = "peersync:stage";
/// Tag that says who manages the resource.
pub const MANAGED_BY_TAG: &str = "peersync:managed-by";
/// Tag with the moment after which the stack may be removed, RFC 3339 in UTC.
pub const EXPIRES_TAG: &str = "peersync:expires-at";
/// Tag that says whether the stack refuses its removal, `true` or `false`: `teardown` has no configuration to look at.
pub const PROTECT_TAG: &str = "peersync:protect";
/// Value of [`MANAGED_BY_TAG`].
pub const MANAGED_BY: &str = "peersync-deploy";

/// Everything that the resources of a stack are derived from.
#[derive(Clone, Debug)]
pub struct Stack {
    /// The configuration of the stage.
    pub config: Config,
    /// Where it is.
    pub clients: Clients,
    /// Whose account it is in.
    pub identity: Identity,
    /// After which moment it may be removed, RFC 3339 in UTC; `None` for stacks that stay.
    pub expires_at: Option<String>,
    /// What several resources of one graph read together.
    pub(crate) reads: Arc<SharedReads>,
}

impl Stack {
    /// A stack of this configuration, in this account.
    pub fn new(config: Config, clients: Clients, identity: Identity, expires_at: Option<String>) -> Self {
        Self { config, clients, identity, expires_at, reads: Arc::default() }
    }

    /// The tags that every resource of the stack carries, without the digest.
    pub fn tags(&self) -> Tags {
        let mut tags: Tags = self.config.stack.tags.clone().into_iter().collect();
        tags.insert(STACK_TAG.to_owned(), self.name());
        tags.insert(STAGE_TAG.to_owned(), self.config.stage.clone());
        tags.insert(MANAGED_BY_TAG.to_owned(), MANAGED_BY.to_owned());
        tags.insert(PROTECT_TAG.to_owned(), self.config.stack.protect.to_string());
        if let Some(expires_at) = &self.expires_at {
            tags.insert(EXPIRES_TAG.to_owned(), expires_at.clone());
        }
        tags
    }

    /// The graph of all resources, but those of services that the endpoint does not have. It is observed once; who wants
    /// to look again takes a new one.
    ///
    /// # Errors
    /// A mistake in a resource's dependencies.
    pub fn graph(self: &Arc<Self>) -> Result<Graph, GraphError> {
        let stack = Arc::new(Self { reads: Arc::default(), ..(**self).clone() });
        let resources = KINDS.iter().flat_map(|kind| (kind.instances)(&stack));
        let graph =
            Graph::new(resources.map(|resource| Arc::new(Attributed(resource)) as Arc<dyn Resource>).collect())?;
        if self.clients.absent.is_empty() {
            return Ok(graph);
        }
        let there: Vec<&str> = KINDS.iter().filter(|kind| self.has_services_of(kind)).map(|kind| kind.name).collect();
        Ok(graph.restricted(|address| there.contains(&address.kind)))
    }

    fn has_services_of(&self, kind: &Kind) -> bool {
        let absent = &self.clients.absent;
        let needs = |permission: &Permission| {
            let services = permission.actions.iter().filter_map(|action| action.split_once(':'));
            services.map(|(service, _)| service).any(|service| absent.contains_key(service))
        };
        !(kind.permissions)(self).iter().any(needs)
    }
}

#[cfg(test)]
impl Stack {
    /// A stack of account 123456789012 in eu-central-1, at an endpoint where nobody answers.
    pub(crate) async fn for_tests(config: Config) -> Arc<Self> {
        let options = crate::aws::ConnectOptions {
            region: Some("eu-central-1".to_owned()),
            endpoint_url: Some("http://127.0.0.1:9".to_owned()),
            ..Default::default()
        };
        let clients = Clients::connect(&options).await.expect("a region and an endpoint are enough");
        let account = "123456789012".to_owned();
        let arn = format!("arn:aws:iam::{account}:user/test");
        let identity = Identity { account, arn, partition: "aws".to_owned() };
        Arc::new(Self::new(config, clients, identity, None))
    }
}
