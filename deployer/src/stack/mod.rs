//! A PeerSync stack: its names, its tags and the graph of its resources.

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

/// The tag with the name of the stack.
pub const STACK_TAG: &str = "peersync:stack";
/// The tag with the name of the stage.
pub const STAGE_TAG: &str = "peersync:stage";
/// The tag that names the program that manages the resource.
pub const MANAGED_BY_TAG: &str = "peersync:managed-by";
/// The tag with the time after which the stack may be removed, in RFC 3339 and UTC.
pub const EXPIRES_TAG: &str = "peersync:expires-at";
/// The tag with the stack's protection from removal, `true` or `false`. `teardown` reads it because it has no
/// configuration.
pub const PROTECT_TAG: &str = "peersync:protect";
/// The value of [`MANAGED_BY_TAG`].
pub const MANAGED_BY: &str = "peersync-deploy";

/// A stack: everything that its resources are derived from.
#[derive(Clone, Debug)]
pub struct Stack {
    /// The configuration of the stage.
    pub config: Config,
    /// The clients for the stack's region.
    pub clients: Clients,
    /// The caller's identity, which includes the stack's account.
    pub identity: Identity,
    /// The time after which the stack may be removed, in RFC 3339 and UTC; `None` if it does not expire.
    pub expires_at: Option<String>,
    /// Reads that several resources of one graph share.
    pub(crate) reads: Arc<SharedReads>,
}

impl Stack {
    /// Creates a stack with this configuration in the account of `identity`. Calls nothing.
    pub fn new(config: Config, clients: Clients, identity: Identity, expires_at: Option<String>) -> Self {
        Self { config, clients, identity, expires_at, reads: Arc::default() }
    }

    /// Returns the tags that every resource of the stack carries, without the digest.
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

    /// Returns the graph of all resources, except those of services that the endpoint lacks. A graph is observed only
    /// once: build another one to observe again.
    ///
    /// # Errors
    /// Invalid dependencies between the resources.
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
    /// Returns a stack of account 123456789012 in eu-central-1, at an endpoint that does not answer.
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
