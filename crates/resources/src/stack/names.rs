//! The names of a stack's resources. They depend only on the configuration and the account, so that each resource can
//! be found without reading another.

use super::Stack;

/// The four functions, in the order in which they are displayed.
pub const FUNCTIONS: [&str; 4] = ["signup", "login", "friends", "rooms"];

impl Stack {
    /// Returns the name of the stack, `{name}-{stage}`, which is the prefix of every other name.
    pub fn name(&self) -> String {
        self.config.stack_name()
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

    /// Returns the name of a role; `part` is a function's name, `signal` or `gateway`. The name includes the region
    /// because roles are global to the account. The longest has 64 characters, which is IAM's limit.
    pub fn role(&self, part: &str) -> String {
        format!("{}-{}-{part}", self.name(), self.clients.region)
    }

    /// Returns an ARN in the stack's region and account: `arn:{partition}:{service}:{region}:{account}:{resource}`.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let (partition, account) = (&self.identity.partition, &self.identity.account);
        format!("arn:{partition}:{service}:{}:{account}:{resource}", self.clients.region)
    }

    /// Returns the domain suffix of AWS's endpoints in the stack's partition.
    pub fn dns_suffix(&self) -> &'static str {
        if self.identity.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" }
    }

    /// Returns an IAM ARN, which has no region.
    pub fn iam_arn(&self, resource: &str) -> String {
        format!("arn:{}:iam::{}:{resource}", self.identity.partition, self.identity.account)
    }
}
