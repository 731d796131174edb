//! Finds the Elastic IP addresses of PeerSync's stacks.

use async_trait::async_trait;

use crate::kinds::ec2;
use crate::search::{Candidate, Scope, Search};
use peersync_aws::Context as _;
use peersync_engine::ResourceError;

pub(super) struct Addresses;

#[async_trait]
impl Search for Addresses {
    async fn candidates(&self, scope: &Scope<'_>) -> Result<Vec<Candidate>, ResourceError> {
        let call = scope.clients.ec2.describe_addresses().filters(ec2::of_any_stack());
        let answer = call.send().await.context("failed to list the addresses")?;
        let addresses = answer.addresses.unwrap_or_default();
        let candidate =
            |one: &aws_sdk_ec2::types::Address| Some(Candidate::tagged(one.allocation_id()?, ec2::tags(one.tags())));
        Ok(addresses.iter().filter_map(candidate).collect())
    }

    fn actions(&self) -> &'static [&'static str] {
        &["ec2:DescribeAddresses"]
    }
}
