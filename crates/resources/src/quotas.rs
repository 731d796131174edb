//! Quotas of the account that a stack can meet, counted before anything is created: how much is used, how much a plan needs,
//! and how much the account may have. What the account may have is asked of Service Quotas; where that does not answer, AWS's
//! default counts, which the account may exceed.

mod usage;

use futures::future::join_all;

use crate::stack::Stack;
use peersync_aws::Context as _;
use peersync_engine::{Plan, ResourceError, text};

/// A quota.
#[derive(Debug)]
pub struct Quota {
    /// What is counted, in the plural.
    pub name: &'static str,
    /// The service and the code in Service Quotas, if it has one.
    code: Option<(&'static str, &'static str)>,
    /// AWS's default.
    default: u64,
    /// Whether it is one quota for all regions, which Service Quotas keeps in us-east-1.
    is_global: bool,
    /// What helps beside a higher quota.
    way_out: &'static str,
    count: Count,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    Addresses,
    Vcpus,
    HeadersPolicies,
    DistributionsOfPolicy,
    Distributions,
    AccessControls,
}

const FEWER_STACKS: &str = "remove a stack that nobody needs: `peersync-deploy list --all-regions` shows them";

/// The quotas, with AWS's defaults: "Amazon VPC quotas" and "Amazon EC2 On-Demand Instance quotas" (new accounts), and
/// "Quotas" in the CloudFront developer guide.
const QUOTAS: &[Quota] = &[
    Quota {
        name: "Elastic IP addresses",
        code: Some(("ec2", "L-0263D0A3")),
        default: 5,
        is_global: false,
        way_out: "release an address that nothing uses (`aws ec2 describe-addresses`), set `ingress = \"cloudflare\"` under \
                  [signaling], which needs none, or remove a stack",
        count: Count::Addresses,
    },
    Quota {
        name: "vCPUs of on-demand instances",
        code: Some(("ec2", "L-1216C47A")),
        default: 5,
        is_global: false,
        way_out: "choose a smaller `instance_type` under [signaling], or stop instances; the new host runs beside the one it \
                  replaces",
        count: Count::Vcpus,
    },
    Quota {
        name: "response-headers policies",
        code: Some(("cloudfront", "L-CF0D4FC5")),
        default: 20,
        is_global: true,
        way_out: "delete policies that no distribution uses (`aws cloudfront list-response-headers-policies --type custom`); \
                  stacks with the same [site] and [turn] share one",
        count: Count::HeadersPolicies,
    },
    Quota {
        name: "distributions with the same response-headers policy",
        code: None,
        default: 100,
        is_global: true,
        way_out: FEWER_STACKS,
        count: Count::DistributionsOfPolicy,
    },
    Quota {
        name: "CloudFront distributions",
        code: Some(("cloudfront", "L-24B04930")),
        default: 200,
        is_global: true,
        way_out: FEWER_STACKS,
        count: Count::Distributions,
    },
    Quota {
        name: "origin access controls",
        code: None,
        default: 100,
        is_global: true,
        way_out: FEWER_STACKS,
        count: Count::AccessControls,
    },
];

/// A quota as it stands.
#[derive(Debug)]
pub struct Counted {
    /// The quota.
    pub quota: &'static Quota,
    /// How much of it is used.
    pub used: u64,
    /// How much the plan needs in addition.
    pub needed: u64,
    /// How much the account may have.
    pub limit: u64,
    /// Whether that is AWS's default, because Service Quotas did not say.
    pub is_default: bool,
}

impl Counted {
    /// Returns whether the plan needs more than is left.
    pub fn is_short(&self) -> bool {
        self.needed > 0 && self.used.saturating_add(self.needed) > self.limit
    }

    /// Describes it: `5 of 5 Elastic IP addresses are used, and 1 more is needed`.
    pub fn text(&self) -> String {
        let Self { quota, used, needed, limit, is_default } = self;
        let default = if *is_default { " (default quota)" } else { "" };
        let more = match needed {
            0 => String::new(),
            1 => ", and 1 more is needed".to_owned(),
            more => format!(", and {more} more are needed"),
        };
        format!("{used} of {limit} {}{default} are used{more}", quota.name)
    }

    /// Returns what helps.
    pub fn hint(&self) -> String {
        let name = match self.quota.code {
            Some((service, code)) => format!("the quota {code} of {service}"),
            None => format!("the quota for {}", self.quota.name),
        };
        let region = if self.quota.is_global { " in us-east-1" } else { "" };
        format!("{}; or request more of {name} in the AWS console under Service Quotas{region}", self.quota.way_out)
    }
}

/// Counts the quotas of which a plan needs something.
pub async fn needed(stack: &Stack, plan: &Plan) -> Vec<Counted> {
    let counted = count(stack, plan, |needed| needed > 0).await;
    counted.into_iter().filter_map(Result::ok).collect()
}

/// Counts all quotas. Those that cannot be counted are errors.
pub async fn all(stack: &Stack, plan: &Plan) -> Vec<Result<Counted, ResourceError>> {
    count(stack, plan, |_| true).await
}

async fn count(stack: &Stack, plan: &Plan, wanted: impl Fn(u64) -> bool) -> Vec<Result<Counted, ResourceError>> {
    let counts = QUOTAS.iter().map(|quota| (quota, usage::needed(stack, plan, quota.count)));
    join_all(counts.filter(|(_, needed)| wanted(*needed)).map(|(quota, needed)| async move {
        let (usage, limit) = futures::join!(usage::used(stack, quota.count), usage::limit(stack, quota));
        let usage = usage?;
        // What other stacks have already made is not needed once more.
        let needed = if usage.is_there { 0 } else { needed };
        let (limit, is_default) = limit.map_or((quota.default, true), |limit| (limit, false));
        Ok(Counted { quota, used: usage.used, needed, limit, is_default })
    }))
    .await
}

/// How many dashboards of an account are free ("Amazon CloudWatch pricing").
pub const FREE_DASHBOARDS: usize = 3;

/// Counts the dashboards of the account, of which each stack has one.
///
/// # Errors
/// They cannot be listed.
pub async fn dashboards(stack: &Stack) -> Result<usize, ResourceError> {
    let pages = stack.clients.cloudwatch.list_dashboards().into_paginator().items().send();
    let all = pages.collect::<Result<Vec<_>, _>>().await.context("failed to count the dashboards")?;
    Ok(all.len())
}

/// Returns the error that a plan needs more than the account may have. A default quota refuses nothing, because the account
/// may have more.
pub fn refusal(counted: &[Counted]) -> Option<ResourceError> {
    let short: Vec<&Counted> = counted.iter().filter(|one| one.is_short() && !one.is_default).collect();
    let first = short.first()?;
    let texts: Vec<String> = short.iter().map(|one| one.text()).collect();
    let error = ResourceError::new("the account's quotas do not suffice").caused_by(text::list(&texts, texts.len()));
    Some(error.hint(first.hint()))
}

/// Returns the warnings about what the plan may need too much of.
pub fn warnings(counted: &[Counted]) -> Vec<String> {
    let short = counted.iter().filter(|one| one.is_short());
    short.map(|one| format!("{}: {}", one.text(), one.hint())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(used: u64, needed: u64, limit: u64, is_default: bool) -> Counted {
        Counted { quota: &QUOTAS[0], used, needed, limit, is_default }
    }

    #[test]
    fn quota_is_short_only_if_the_plan_needs_more_than_is_left() {
        assert!(counted(5, 1, 5, false).is_short());
        assert!(!counted(4, 1, 5, false).is_short());
        assert!(!counted(7, 0, 5, false).is_short(), "nothing more is needed");
        assert!(counted(u64::MAX, 1, 5, false).is_short());
    }

    #[test]
    fn refusal_names_quota_used_needed_and_the_way_out() {
        let error = refusal(&[counted(5, 1, 5, false)]).unwrap();
        assert_eq!(error.causes(), ["5 of 5 Elastic IP addresses are used, and 1 more is needed"]);
        let hint = error.hint.unwrap();
        assert!(hint.contains("L-0263D0A3") && hint.contains("describe-addresses"), "{hint}");
    }

    #[test]
    fn default_quota_warns_and_refuses_nothing() {
        let counted = [counted(5, 1, 5, true)];
        assert!(refusal(&counted).is_none());
        let [warning] = warnings(&counted).try_into().unwrap();
        assert!(warning.starts_with("5 of 5 Elastic IP addresses (default quota) are used, and 1 more is needed: "));
    }
}
