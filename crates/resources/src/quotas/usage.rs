//! What is used of a quota, what a plan needs, and what Service Quotas says the account may have.

use std::time::Duration;

use aws_sdk_cloudfront::types::DistributionSummary;
use aws_sdk_ec2::types::{Instance, InstanceStateName};
use aws_sdk_servicequotas::config::retry::RetryConfig;
use aws_sdk_servicequotas::config::timeout::TimeoutConfig;
use aws_sdk_servicequotas::config::{Config, Region};

use super::{Count, Quota};
use crate::kinds::{cloudfront_distribution, elastic_ip, quota_reads, signal_instance};
use crate::stack::Stack;
use peersync_aws::Context as _;
use peersync_engine::{Action, Address, Plan, ResourceError};

/// The region in which Service Quotas keeps the quotas of global services.
const GLOBAL_REGION: &str = "us-east-1";
/// How long Service Quotas may take: without its answer the default counts.
const DEADLINE: Duration = Duration::from_secs(5);

/// What is used of a quota.
pub(super) struct Usage {
    pub(super) used: u64,
    /// Whether what the stack needs is there already, made by another stack.
    pub(super) is_there: bool,
}

/// Returns how much a plan needs in addition.
pub(super) fn needed(stack: &Stack, plan: &Plan, count: Count) -> u64 {
    let does = |address: &Address, actions: &[Action]| {
        plan.pending().any(|step| step.address == *address && actions.contains(&step.action))
    };
    let (create, replace) = (&[Action::Create][..], &[Action::Create, Action::Replace][..]);
    match count {
        Count::Addresses => does(&elastic_ip::address(), create).into(),
        Count::Vcpus if does(&signal_instance::address(), replace) => vcpus(&stack.config.signaling.instance_type),
        Count::Vcpus => 0,
        Count::HeadersPolicies => does(&quota_reads::policy_address(), replace).into(),
        Count::DistributionsOfPolicy => {
            let moves = does(&quota_reads::policy_address(), &[Action::Replace]);
            (moves || does(&cloudfront_distribution::address(), create)).into()
        }
        Count::Distributions => does(&cloudfront_distribution::address(), create).into(),
        Count::AccessControls => does(&quota_reads::access_control_address(), create).into(),
    }
}

/// Counts what is used.
pub(super) async fn used(stack: &Stack, count: Count) -> Result<Usage, ResourceError> {
    let only = |used: usize| Usage { used: number(used), is_there: false };
    Ok(match count {
        Count::Addresses => {
            let answer = stack.clients.ec2.describe_addresses().send().await;
            only(answer.context("failed to count the Elastic IP addresses")?.addresses().len())
        }
        Count::Vcpus => Usage { used: instances(stack).await?.iter().map(vcpus_of).sum(), is_there: false },
        Count::HeadersPolicies => {
            let (used, is_there) = quota_reads::headers_policies(stack).await?;
            Usage { used: number(used), is_there }
        }
        Count::DistributionsOfPolicy => {
            let Some(policy) = quota_reads::wanted_policy(stack).await? else { return Ok(only(0)) };
            let uses = |one: &&DistributionSummary| quota_reads::uses_policy(one, &policy);
            only(quota_reads::distributions(stack).await?.iter().filter(uses).count())
        }
        Count::Distributions => only(quota_reads::distributions(stack).await?.len()),
        Count::AccessControls => only(quota_reads::access_controls(stack).await?),
    })
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Asks Service Quotas; `None` if it does not say.
pub(super) async fn limit(stack: &Stack, quota: &Quota) -> Option<u64> {
    let (service, code) = quota.code?;
    let region = if quota.is_global { GLOBAL_REGION.to_owned() } else { stack.clients.region.clone() };
    let soon = Config::builder()
        .region(Region::new(region))
        .retry_config(RetryConfig::standard().with_max_attempts(2))
        .timeout_config(TimeoutConfig::builder().operation_timeout(DEADLINE).build());
    let call = stack.clients.service_quotas.get_service_quota().service_code(service).quota_code(code);
    let value = call.customize().config_override(soon).send().await.ok()?.quota?.value?;
    // Quotas are whole numbers that fit, which the service sends as floating-point ones.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked, and a cast saturates")]
    (value.is_finite() && value >= 0.0).then_some(value as u64)
}

/// Lists the instances that count: those of the families A, C, D, H, I, M, R, T and Z that start or run.
async fn instances(stack: &Stack) -> Result<Vec<Instance>, ResourceError> {
    let pages = stack.clients.ec2.describe_instances().into_paginator().items().send();
    let reservations = pages.collect::<Result<Vec<_>, _>>().await.context("failed to count the vCPUs")?;
    let all = reservations.into_iter().flat_map(|one| one.instances.unwrap_or_default());
    let counts = |one: &Instance| {
        let state = one.state().and_then(|state| state.name());
        matches!(state, Some(InstanceStateName::Pending | InstanceStateName::Running))
            && one.instance_type().is_some_and(|kind| kind.as_str().starts_with(|c| "acdhimrtz".contains(c)))
    };
    Ok(all.filter(counts).collect())
}

/// Returns the vCPUs of an instance: those that EC2 tells, or else those of its type.
fn vcpus_of(instance: &Instance) -> u64 {
    let told = instance.cpu_options().and_then(|cpu| cpu.core_count()?.checked_mul(cpu.threads_per_core()?));
    let told = told.and_then(|count| u64::try_from(count).ok()).filter(|count| *count > 0);
    told.unwrap_or_else(|| instance.instance_type().map_or(0, |kind| vcpus(kind.as_str())))
}

/// Returns the vCPUs of a type ("Amazon EC2 instance types"): two up to `large`, except `medium` of the families without
/// bursts, which has one; then four for each `xlarge`.
fn vcpus(instance_type: &str) -> u64 {
    let (family, size) = instance_type.split_once('.').unwrap_or((instance_type, ""));
    match size.strip_suffix("xlarge") {
        Some("") => 4,
        Some(times) => times.parse::<u64>().map_or(4, |times| times.saturating_mul(4)),
        None if family == "t2" && ["nano", "micro", "small"].contains(&size) => 1,
        None if size == "medium" && !family.starts_with('t') => 1,
        None => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_vcpus_that_aws_lists() {
        for (instance_type, count) in [
            ("t3.nano", 2),
            ("t3.micro", 2),
            ("t3.large", 2),
            ("t3.xlarge", 4),
            ("t3.2xlarge", 8),
            ("t2.micro", 1),
            ("t2.medium", 2),
            ("c7i.large", 2),
            ("m7a.medium", 1),
            ("m7i.48xlarge", 192),
        ] {
            assert_eq!(vcpus(instance_type), count, "{instance_type}");
        }
    }
}
