//! Finds the signaling hosts of PeerSync's stacks.

use async_trait::async_trait;

use super::is_alive;
use crate::kinds::ec2;
use crate::search::{Candidate, Scope, Search};
use peersync_aws::Context as _;
use peersync_engine::ResourceError;

pub(super) struct Hosts;

#[async_trait]
impl Search for Hosts {
    async fn candidates(&self, scope: &Scope<'_>) -> Result<Vec<Candidate>, ResourceError> {
        let pages = scope.clients.ec2.describe_instances().filters(ec2::of_any_stack()).into_paginator().items().send();
        let reservations = pages.collect::<Result<Vec<_>, _>>().await.context("failed to list the EC2 instances")?;
        let hosts = reservations.into_iter().flat_map(|one| one.instances.unwrap_or_default()).filter(is_alive);
        let candidate = |one: aws_sdk_ec2::types::Instance| {
            let tags = ec2::tags(one.tags());
            Some(Candidate::tagged(one.instance_id?, tags).created(one.launch_time.as_ref()))
        };
        Ok(hosts.filter_map(candidate).collect())
    }

    fn actions(&self) -> &'static [&'static str] {
        &["ec2:DescribeInstances"]
    }
}
