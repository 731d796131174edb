//! Finds the signaling hosts of PeerSync's stacks.

use async_trait::async_trait;
use aws_sdk_ec2::types::{Instance as Found, InstanceStateName};

use super::ready;
use crate::kinds::ec2;
use crate::search::{Candidate, Scope, Search};
use crate::stack::Stack;
use peersync_aws::Context as _;
use peersync_engine::ResourceError;

pub(super) struct Hosts;

#[async_trait]
impl Search for Hosts {
    async fn candidates(&self, scope: &Scope<'_>) -> Result<Vec<Candidate>, ResourceError> {
        let pages = scope.clients.ec2.describe_instances().filters(ec2::of_any_stack()).into_paginator().items().send();
        let reservations = pages.collect::<Result<Vec<_>, _>>().await.context("failed to list the EC2 instances")?;
        let hosts = reservations.into_iter().flat_map(|one| one.instances.unwrap_or_default()).filter(is_alive);
        let candidate = |one: Found| {
            let tags = ec2::tags(one.tags());
            Some(Candidate::tagged(one.instance_id?, tags).created(one.launch_time.as_ref()))
        };
        Ok(hosts.filter_map(candidate).collect())
    }

    fn actions(&self) -> &'static [&'static str] {
        &["ec2:DescribeInstances"]
    }
}

/// Reads the hosts of the stack that are not terminated or terminating: those that are ready, then the others, each the
/// newest first.
pub(super) async fn find(stack: &Stack) -> Result<Vec<Found>, ResourceError> {
    let mut found = find_all(stack).await?;
    found.retain(is_alive);
    found.sort_by_key(|instance| !ready::is_ready(instance));
    Ok(found)
}

/// The host of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The id of the instance.
    pub id: String,
    /// What EC2 calls its state, such as `running` or `stopped`.
    pub state: String,
    /// Whether it runs.
    pub runs: bool,
}

/// Finds the host of the stack, without anything else of it.
///
/// # Errors
/// The instances cannot be listed.
pub async fn find_host(stack: &Stack) -> Result<Option<Host>, ResourceError> {
    let first = find(stack).await?.into_iter().next();
    Ok(first.and_then(|instance| {
        let state = instance.state.and_then(|state| state.name)?;
        let runs = state == InstanceStateName::Running;
        Some(Host { id: instance.instance_id?, state: state.as_str().to_owned(), runs })
    }))
}

pub(super) fn is_alive(instance: &Found) -> bool {
    let state = instance.state().and_then(|state| state.name());
    !matches!(state, Some(InstanceStateName::ShuttingDown | InstanceStateName::Terminated))
}

/// Reads the hosts of the stack, the newest first. EC2 returns terminated ones for about an hour.
pub(super) async fn find_all(stack: &Stack) -> Result<Vec<Found>, ResourceError> {
    let filters = Some(ec2::of_stack(stack));
    let pages = stack.clients.ec2.describe_instances().set_filters(filters).into_paginator().items().send();
    let reservations = pages.collect::<Result<Vec<_>, _>>().await.context("failed to list the EC2 instances")?;
    let mut found: Vec<Found> = reservations.into_iter().flat_map(|one| one.instances.unwrap_or_default()).collect();
    found.retain(|one| ec2::is_ours(stack, one.tags()));
    found.sort_by_key(|one| std::cmp::Reverse((one.launch_time.map(|time| time.secs()), one.instance_id.clone())));
    Ok(found)
}
