//! The names of everything in a stack. They depend on the configuration and the account alone, so that every resource
//! can be found without looking at another.

use super::Stack;

/// The four functions, in the order in which they are shown.
pub const FUNCTIONS: [&str; 4] = ["signup", "login", "friends", "rooms"];

impl Stack {
    /// `{name}-{stage}`, the prefix of every name.
    pub fn name(&self) -> String {
        self.config.stack_name()
    }

    /// `{stack}-{suffix}`, the form of most names.
    pub fn named(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.name())
    }

    /// The bucket with the pages: from the configuration, or `{stack}-{account}-{region}`.
    pub fn bucket(&self) -> String {
        self.config
            .site
            .bucket
            .clone()
            .unwrap_or_else(|| format!("{}-{}-{}", self.name(), self.identity.account, self.clients.region))
    }

    /// The prefix of the stack's parameters, without a slash at its end.
    pub fn parameter_prefix(&self) -> String {
        format!("/peersync/{}", self.name())
    }

    /// The log group of a function.
    pub fn function_log_group(&self, function: &str) -> String {
        format!("/aws/lambda/{}", self.named(function))
    }

    /// The log group of another part, `signal` or `api-access`.
    pub fn log_group(&self, part: &str) -> String {
        format!("/peersync/{}/{part}", self.name())
    }

    /// The role of a part: a function's name, `signal` or `gateway`. Roles belong to the account, so the region is in the
    /// name. The longest is IAM's limit of 64 characters.
    pub fn role(&self, part: &str) -> String {
        format!("{}-{}-{part}", self.name(), self.clients.region)
    }

    /// An ARN in the stack's region and account: `arn:{partition}:{service}:{region}:{account}:{resource}`.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let (partition, account) = (&self.identity.partition, &self.identity.account);
        format!("arn:{partition}:{service}:{}:{account}:{resource}", self.clients.region)
    }

    /// What the names of AWS's servers end in.
    pub fn dns_suffix(&self) -> &'static str {
        if self.identity.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" }
    }

    /// An ARN of IAM, which has no region.
    pub fn iam_arn(&self, resource: &str) -> String {
        format!("arn:{}:iam::{}:{resource}", self.identity.partition, self.identity.account)
    }
}
