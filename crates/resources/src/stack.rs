//! A stack: its names, its tags, and whose a found resource is.

mod names;
mod ownership;

pub use names::FUNCTIONS;

use peersync_aws::{Clients, Identity};
use peersync_config::Config;
use peersync_engine::Tags;

use crate::Artifacts;

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
    /// What it is filled with.
    pub artifacts: &'static Artifacts,
}

impl Stack {
    /// A stack of this configuration, in this account.
    pub fn new(
        config: Config,
        clients: Clients,
        identity: Identity,
        expires_at: Option<String>,
        artifacts: &'static Artifacts,
    ) -> Self {
        Self { config, clients, identity, expires_at, artifacts }
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
}

#[cfg(test)]
static TEST_ARTIFACTS: std::sync::LazyLock<Artifacts> = std::sync::LazyLock::new(|| {
    use peersync_server::routes::Route;

    use crate::{Page, Program};
    let route = |method, path: &str, function| Route { method, path: path.to_owned(), function };
    Artifacts {
        pages: vec![Page { key: "index.html", content: b"<!doctype html>" }],
        api: Program { name: "api", ..Program::default() },
        signal: Program { name: "signal", ..Program::default() },
        routes: vec![
            route("GET", "/friends", "friends"),
            route("DELETE", "/friends/{email}", "friends"),
            route("GET", "/me", "login"),
            route("PATCH", "/me", "login"),
        ],
    }
});

#[cfg(test)]
impl Stack {
    /// A stack of account 123456789012 in eu-central-1, at an endpoint where nobody answers.
    pub(crate) async fn for_tests(config: Config) -> std::sync::Arc<Self> {
        let options = peersync_aws::ConnectOptions {
            region: Some("eu-central-1".to_owned()),
            endpoint_url: Some("http://127.0.0.1:9".to_owned()),
            ..Default::default()
        };
        let clients = Clients::connect(&options).await.expect("a region and an endpoint are enough");
        let account = "123456789012".to_owned();
        let arn = format!("arn:aws:iam::{account}:user/test");
        let identity = Identity { account, arn, partition: "aws".to_owned() };
        std::sync::Arc::new(Self::new(config, clients, identity, None, &TEST_ARTIFACTS))
    }
}
