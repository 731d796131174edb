//! Reads one EC2 instance.

use aws_sdk_ec2::types::Instance;

use super::GONE;
use crate::stack::Stack;
use peersync_aws::NotFound as _;
use peersync_engine::ResourceError;

/// Reads an EC2 instance; returns `None` if it does not exist.
pub(super) async fn read(stack: &Stack, id: &str) -> Result<Option<Instance>, ResourceError> {
    let answer = stack.clients.ec2.describe_instances().instance_ids(id).send().await;
    let answer = answer.found(GONE, "failed to read the signaling host")?;
    Ok(answer.and_then(|answer| answer.reservations?.into_iter().next()?.instances?.into_iter().next()))
}
