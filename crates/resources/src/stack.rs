//! A stack: its names, its tags, and whether an existing resource is managed by it.

mod lifetime;
mod names;
mod network;
mod ownership;
mod programs;

pub use lifetime::{ExpirySource, Lifetime, TaggedExpiry};
pub(crate) use names::DNS_SUFFIX;
pub use names::{FUNCTIONS, stack_of};
pub(crate) use network::EDGE_PORT;
pub use network::Network;
pub(crate) use ownership::{SHARED_MARK, marked};

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::SystemTime;

use peersync_aws::{Clients, Identity};
use peersync_cloudflare::Cloudflare;
use peersync_config::{Config, Naming};
pub use peersync_engine::diff::{EXPIRES_BY_TAG, EXPIRES_TAG, NO_EXPIRY};
use peersync_engine::{Address, Tags};

use crate::Artifacts;

/// The tag with the name of the stack.
pub const STACK_TAG: &str = "peersync:stack";
/// The tag with the first part of the stack's name, `stack.name` in the configuration.
pub const NAME_TAG: &str = "peersync:name";
/// The tag with the name of the stage.
pub const STAGE_TAG: &str = "peersync:stage";
/// The tag with the stack's region, which resources that are global to the account need.
pub const REGION_TAG: &str = "peersync:region";
/// The tag with the stack's account.
pub const ACCOUNT_TAG: &str = "peersync:account";
/// The tag that names the program that manages the resource.
pub const MANAGED_BY_TAG: &str = "peersync:managed-by";
/// The tag with the stack's protection from removal, `true` or `false`. `teardown` reads it because it has no
/// configuration.
pub const PROTECT_TAG: &str = "peersync:protect";
/// The tag that says what configured the stack: `file`, or `defaults` if no file was found.
pub const CONFIGURED_BY_TAG: &str = "peersync:configured-by";
/// The value of [`CONFIGURED_BY_TAG`] for a stack with a file.
pub const BY_FILE: &str = "file";
/// The tag with the ARN of the caller who created the stack.
pub const CREATED_BY_TAG: &str = "peersync:created-by";
/// The tag with the time at which the stack was created, in RFC 3339 and UTC.
pub const CREATED_AT_TAG: &str = "peersync:created-at";
/// The longest value of a tag, in characters.
const LONGEST_TAG_VALUE: usize = 256;
/// The value of [`MANAGED_BY_TAG`].
pub const MANAGED_BY: &str = "peersync-deploy";

/// The environment variable with which hosts count as running at an endpoint other than AWS, too, because something there
/// answers in their place. Emulators run nothing on a host.
const RUNS_HOSTS: &str = "PEERSYNC_RUNS_HOSTS";

/// A stack: everything that its resources are derived from.
#[derive(Clone, Debug)]
pub struct Stack {
    /// The configuration of the stage.
    pub config: Config,
    /// The clients for the stack's region.
    pub clients: Clients,
    /// The client of Cloudflare's API, with the token of the environment.
    pub cloudflare: Cloudflare,
    /// The caller's identity, which includes the stack's account.
    pub identity: Identity,
    /// How its name is formed.
    pub naming: Naming,
    /// When it is to expire.
    pub lifetime: Lifetime,
    /// The resources to adopt: they have the stack's names, but not its tags.
    pub adopt: BTreeSet<Address>,
    /// The network of the host, once it was read.
    pub network: OnceLock<Network>,
    /// The newest image for the host, if it was looked for because the present one is too old.
    pub newest_image: OnceLock<String>,
    /// Whether the programs of hosts run, so that a host reports, answers and is asked. AWS runs them; emulators do not.
    pub runs_hosts: bool,
    /// The time by which ages go, so that one run always tells the same.
    pub now: SystemTime,
    /// Whether a file configures it. Without one, the defaults do.
    pub has_file: bool,
    /// The pages, server programs and routes to deploy.
    pub artifacts: &'static Artifacts,
}

impl Stack {
    /// Creates a stack with this configuration in the account of `identity`. Calls nothing.
    pub fn new(config: Config, clients: Clients, identity: Identity, artifacts: &'static Artifacts) -> Self {
        let (naming, lifetime) = (Naming::default(), Lifetime::default());
        let (adopt, now) = (BTreeSet::new(), SystemTime::now());
        let cloudflare = Cloudflare::from_environment(&clients.http, &clients.write_guard);
        let (network, newest_image) = (OnceLock::new(), OnceLock::new());
        let runs_hosts = clients.endpoint_url.is_none() || std::env::var_os(RUNS_HOSTS).is_some();
        Self {
            config,
            clients,
            cloudflare,
            identity,
            naming,
            lifetime,
            adopt,
            network,
            newest_image,
            runs_hosts,
            now,
            has_file: false,
            artifacts,
        }
    }

    /// Returns the tags that every resource of the stack carries, without the digest and the expiry.
    pub fn tags(&self) -> Tags {
        let mut tags: Tags = self.config.stack.tags.clone().into_iter().collect();
        let own = self.identity_tags().into_iter().chain([
            (NAME_TAG, self.config.stack.name.clone()),
            (MANAGED_BY_TAG, MANAGED_BY.to_owned()),
            (PROTECT_TAG, self.config.stack.protect.to_string()),
            (CONFIGURED_BY_TAG, if self.has_file { BY_FILE } else { "defaults" }.to_owned()),
        ]);
        tags.extend(own.map(|(key, value)| (key.to_owned(), value)));
        tags
    }

    /// Returns the tags that say who creates the stack, and when.
    pub fn origin_tags(&self, now: SystemTime) -> Tags {
        let allowed = |c: char| if c.is_ascii_alphanumeric() || "+-=._:/@".contains(c) { c } else { '_' };
        let caller: String = self.identity.arn.chars().map(allowed).take(LONGEST_TAG_VALUE).collect();
        let moment = humantime::format_rfc3339_seconds(now).to_string();
        [(CREATED_BY_TAG.to_owned(), caller), (CREATED_AT_TAG.to_owned(), moment)].into()
    }
}

#[cfg(test)]
static TEST_ARTIFACTS: std::sync::LazyLock<Artifacts> = std::sync::LazyLock::new(|| {
    use peersync_config::Architecture;
    use peersync_server::routes::Route;

    use crate::{Page, Programs};
    let route = |method, path: &str, function| Route { method, path: path.to_owned(), function };
    Artifacts {
        pages: vec![Page { key: "index.html", content: b"<!doctype html>" }],
        programs: vec![Programs::none(Architecture::X86_64), Programs::none(Architecture::Arm64)],
        routes: vec![
            route("GET", "/friends", "friends"),
            route("DELETE", "/friends/{email}", "friends"),
            route("POST", "/login/verify", "login"),
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
