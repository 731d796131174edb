//! The names of a stack's resources. They depend only on the configuration and the account, so that each resource can
//! be found without reading another.

use sha2::{Digest as _, Sha256};

use super::Stack;
use peersync_config::Naming;

/// The four functions, in the order in which they are displayed.
pub const FUNCTIONS: [&str; 4] = ["signup", "login", "friends", "rooms"];

/// The domain of AWS's endpoints.
pub(crate) const DNS_SUFFIX: &str = "amazonaws.com";
/// The longest name of a role and of an origin access control, in characters ("IAM and AWS STS quotas",
/// `OriginAccessControlConfig`).
const LONGEST_GLOBAL: usize = 64;
/// The length of the hash that keeps shortened names apart, in characters.
const HASH: usize = 10;

/// What the names begin with of what is shared by several stacks.
const SHARED: &str = "peersync";
/// The length of the hash in a shared name, in characters.
const SHARED_HASH: usize = 20;

/// Returns the name of the stack that a resource's name tells, which is `{stack}-{part}` with one of these parts.
pub fn stack_of<P: AsRef<str>>(name: &str, parts: impl IntoIterator<Item = P>) -> Option<&str> {
    let stack = parts.into_iter().find_map(|part| name.strip_suffix(part.as_ref())?.strip_suffix('-'));
    stack.filter(|stack| !stack.is_empty())
}

impl Stack {
    /// Returns the name of the stack, `{name}-{stage}`, which is the prefix of every other name.
    pub fn name(&self) -> String {
        self.naming.stack_name(&self.config.stack.name, &self.config.stage)
    }

    /// Returns the stack with the names that it has if another version deployed it first, if they are others.
    pub fn under_other_names(&self) -> Option<Self> {
        let naming = match self.naming {
            Naming::Unique => Naming::OneHyphen,
            Naming::OneHyphen => Naming::Unique,
        };
        let other = Self { naming, ..self.clone() };
        (other.name() != self.name()).then_some(other)
    }

    /// Returns `{stack}-{suffix}`, the form of most names.
    pub fn named(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.name())
    }

    /// Returns the name of the bucket with the pages: the configured one, or `{stack}-{account}-{region}`.
    pub fn bucket(&self) -> String {
        self.config
            .site
            .bucket
            .clone()
            .unwrap_or_else(|| format!("{}-{}-{}", self.name(), self.identity.account, self.clients.region))
    }

    /// Returns the prefix of the stack's parameters, without a trailing slash.
    pub fn parameter_prefix(&self) -> String {
        format!("/peersync/{}", self.name())
    }

    /// Returns the name of a function's log group.
    pub fn function_log_group(&self, function: &str) -> String {
        format!("/aws/lambda/{}", self.named(function))
    }

    /// Returns the name of another log group, `signal` or `api-access`.
    pub fn log_group(&self, part: &str) -> String {
        format!("/peersync/{}/{part}", self.name())
    }

    /// Returns the name of a role; `part` is a function's name, `signal` or `gateway`.
    pub fn role(&self, part: &str) -> String {
        self.global(part)
    }

    /// Returns the name of a resource that is global to the account, `{stack}-{region}-{part}`: with the region, because
    /// the same stack in another region is another stack. If it is too long, a hash of the whole replaces its end.
    pub fn global(&self, part: &str) -> String {
        shortened(format!("{}-{}-{part}", self.name(), self.clients.region))
    }

    /// Returns the name of the role that all stacks of the region share for the logs of their APIs. It is no stack's own: the
    /// name of a stack has a hyphen.
    pub fn shared_log_role(&self) -> String {
        format!("{SHARED}-{}-gateway", self.clients.region)
    }

    /// Returns the name of what all stacks of the account share whose content is the same: `peersync-` and a hash of it.
    pub fn shared(content: &str) -> String {
        let hash = hex::encode(Sha256::digest(content.as_bytes()));
        format!("{SHARED}-{}", hash.get(..SHARED_HASH).unwrap_or(&hash))
    }

    /// Returns whether a name is one of [`Stack::shared`].
    pub fn is_shared(name: &str) -> bool {
        let hash = name.strip_prefix(SHARED).and_then(|rest| rest.strip_prefix('-'));
        hash.is_some_and(|hash| hash.len() == SHARED_HASH && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }

    /// Returns an ARN in the stack's region and account: `arn:{partition}:{service}:{region}:{account}:{resource}`.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let (partition, account) = (&self.identity.partition, &self.identity.account);
        format!("arn:{partition}:{service}:{}:{account}:{resource}", self.clients.region)
    }

    /// Returns an IAM ARN, which has no region.
    pub fn iam_arn(&self, resource: &str) -> String {
        format!("arn:{}:iam::{}:{resource}", self.identity.partition, self.identity.account)
    }
}

/// Returns the name in at most [`LONGEST_GLOBAL`] characters.
fn shortened(name: String) -> String {
    let Some(kept) = name.get(..LONGEST_GLOBAL - HASH - 1).filter(|_| name.len() > LONGEST_GLOBAL) else { return name };
    let hash = hex::encode(Sha256::digest(name.as_bytes()));
    format!("{kept}-{}", hash.get(..HASH).unwrap_or(&hash))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use peersync_config::Config;

    const REGIONS: [&str; 3] = ["eu-west-1", "eu-central-1", "ap-southeast-1"];

    async fn stack((name, stage, region): &(String, String, usize)) -> Stack {
        let mut config = Config { stage: stage.clone(), ..Config::default() };
        config.stack.name = name.clone();
        let mut stack = Arc::unwrap_or_clone(Stack::for_tests(config).await);
        stack.clients.region = REGIONS[*region].to_owned();
        stack
    }

    /// Returns the names that are global to the account or to AWS, each with its namespace.
    fn global_names(stack: &Stack) -> BTreeSet<(&'static str, String)> {
        let roles = FUNCTIONS.into_iter().chain(["signal", "gateway"]).map(|part| ("role", stack.role(part)));
        let others = [
            ("bucket", stack.bucket()),
            ("cloudfront", stack.global("site")),
            ("dashboard", stack.global("stack")),
            ("mark", stack.global_mark()),
        ];
        roles.chain(others).collect()
    }

    /// Returns the names within a region, each with its namespace.
    fn regional_names(stack: &Stack) -> BTreeSet<(&'static str, String)> {
        let functions = FUNCTIONS.into_iter().flat_map(|function| {
            [("function", stack.named(function)), ("log group", stack.function_log_group(function))]
        });
        let groups = ["signal", "api-access"].map(|part| ("log group", stack.log_group(part)));
        let tables = ["Users", "UserConnections", "Ephemeral"].map(|part| ("table", stack.named(part)));
        let others = [("stack", stack.name()), ("parameter", format!("{}/", stack.parameter_prefix()))];
        functions.chain(groups).chain(tables).chain(others).collect()
    }

    /// Returns a strategy for a stack: of few different characters, so that equal names are likely.
    fn any_stack() -> impl Strategy<Value = (String, String, usize)> {
        let short = ("[ab][ab-]{0,3}[ab]", "[ab]([ab-]{0,3}[ab])?", 0..REGIONS.len());
        let long = ("[ab][a-]{17}[ab]{2}", "[ab][a-]{17}[ab]{2}", 0..REGIONS.len());
        prop_oneof![short, long]
    }

    proptest! {
        #[test]
        fn different_stacks_share_no_name(first in any_stack(), second in any_stack()) {
            prop_assume!(first != second);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (one, other) = (runtime.block_on(stack(&first)), runtime.block_on(stack(&second)));
            let (names, others) = (global_names(&one), global_names(&other));
            prop_assert!(names.is_disjoint(&others), "{:?}", names.intersection(&others).collect::<Vec<_>>());
            if first.2 == second.2 {
                let (names, others) = (regional_names(&one), regional_names(&other));
                prop_assert!(names.is_disjoint(&others), "{:?}", names.intersection(&others).collect::<Vec<_>>());
            }
        }
    }

    #[tokio::test]
    async fn names_of_roles_fit_iams_limit() {
        let long = ("a-bcdefghijklmnopqrs".to_owned(), "a-bcdefghijklmnopqrs".to_owned(), 2);
        let (long, short) = (stack(&long).await, stack(&("peersync".to_owned(), "dev".to_owned(), 0)).await);
        assert_eq!(long.role("friends").len(), LONGEST_GLOBAL);
        assert_ne!(long.role("friends"), long.role("signup"));
        assert_eq!(short.role("friends"), "peersync-dev-eu-west-1-friends");
    }
}
