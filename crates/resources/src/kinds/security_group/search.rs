//! Finds the security groups of PeerSync's stacks. A stack can have a second one, in a VPC that was once the default.

use std::sync::Arc;

use async_trait::async_trait;

use super::{NAME, SecurityGroup};
use crate::kinds::ec2;
use crate::search::{Candidate, LeftoverOf, Scope, Search};
use peersync_aws::Context as _;
use peersync_engine::{Address, ResourceError};

pub(super) struct Groups;

#[async_trait]
impl Search for Groups {
    async fn candidates(&self, scope: &Scope<'_>) -> Result<Vec<Candidate>, ResourceError> {
        let groups = scope.clients.ec2.describe_security_groups().filters(ec2::of_any_stack());
        let groups = groups.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let groups = groups.context("failed to list the security groups")?;
        let candidate =
            |one: &aws_sdk_ec2::types::SecurityGroup| Some(Candidate::tagged(one.group_id()?, ec2::tags(one.tags())));
        Ok(groups.iter().filter_map(candidate).collect())
    }

    fn leftover(&self) -> Option<LeftoverOf> {
        Some(|stack, id| {
            Arc::new(SecurityGroup { stack: stack.clone(), address: Address::new(NAME, id), name: String::new() })
        })
    }

    fn actions(&self) -> &'static [&'static str] {
        &["ec2:DescribeSecurityGroups"]
    }
}
