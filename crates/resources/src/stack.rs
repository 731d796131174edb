//! A stack: its names, its tags, and whether an existing resource is managed by it.

mod lifetime;
mod names;
mod ownership;

pub use lifetime::{ExpirySource, Lifetime, TaggedExpiry};
pub use names::FUNCTIONS;

use peersync_aws::{Clients, Identity};
use peersync_config::Config;
use peersync_engine::Tags;
pub use peersync_engine::diff::{EXPIRES_BY_TAG, EXPIRES_TAG, NO_EXPIRY};

use crate::Artifacts;

/// The tag with the name of the stack.
pub const STACK_TAG: &str = "peersync:stack";
/// The tag with the name of the stage.
pub const STAGE_TAG: &str = "peersync:stage";
/// The tag that names the program that manages the resource.
pub const MANAGED_BY_TAG: &str = "peersync:managed-by";
/// The tag with the stack's protection from removal, `true` or `false`. `teardown` reads it because it has no
/// configuration.
pub const PROTECT_TAG: &str = "peersync:protect";
/// The tag that says what configured the stack: `file`, or `defaults` if no file was found.
pub const CONFIGURED_BY_TAG: &str = "peersync:configured-by";
/// The value of [`CONFIGURED_BY_TAG`] for a stack with a file.
pub const BY_FILE: &str = "file";
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
    /// When it is to expire.
    pub lifetime: Lifetime,
    /// Whether a file configures it. Without one, the defaults do.
    pub has_file: bool,
    /// The pages, server programs and routes to deploy.
    pub artifacts: &'static Artifacts,
}

impl Stack {
    /// Creates a stack with this configuration in the account of `identity`. Calls nothing.
    pub fn new(config: Config, clients: Clients, identity: Identity, artifacts: &'static Artifacts) -> Self {
        Self { config, clients, identity, lifetime: Lifetime::default(), has_file: false, artifacts }
    }

    /// Returns the tags that every resource of the stack carries, without the digest and the expiry.
    pub fn tags(&self) -> Tags {
        let mut tags: Tags = self.config.stack.tags.clone().into_iter().collect();
        tags.insert(STACK_TAG.to_owned(), self.name());
        tags.insert(STAGE_TAG.to_owned(), self.config.stage.clone());
        tags.insert(MANAGED_BY_TAG.to_owned(), MANAGED_BY.to_owned());
        tags.insert(PROTECT_TAG.to_owned(), self.config.stack.protect.to_string());
        tags.insert(CONFIGURED_BY_TAG.to_owned(), if self.has_file { BY_FILE } else { "defaults" }.to_owned());
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
    /// Returns a stack of account 123456789012 in eu-central-1, at an endpoint that does not answer.
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
        std::sync::Arc::new(Self::new(config, clients, identity, &TEST_ARTIFACTS))
    }
}
