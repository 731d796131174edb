//! What the quotas of CloudFront are counted by, for [`quotas`](crate::quotas).

use aws_sdk_cloudfront::types::DistributionSummary;

use super::{distributions, origin_access_control, response_headers_policy};
use crate::stack::Stack;
use peersync_engine::{Address, ResourceError};

pub(crate) use super::distributions::uses_policy;

/// Returns the address of the response-headers policy.
pub(crate) fn policy_address() -> Address {
    response_headers_policy::address()
}

/// Returns the address of the origin access control.
pub(crate) fn access_control_address() -> Address {
    origin_access_control::address()
}

/// Counts the response-headers policies, and tells whether the one that the stack needs is among them.
pub(crate) async fn headers_policies(stack: &Stack) -> Result<(usize, bool), ResourceError> {
    let all = response_headers_policy::list(stack).await?;
    let wanted = response_headers_policy::wanted_name(stack);
    Ok((all.len(), all.iter().any(|one| response_headers_policy::name_of(one) == wanted)))
}

/// Returns the id of the response-headers policy that the stack needs, if it exists.
pub(crate) async fn wanted_policy(stack: &Stack) -> Result<Option<String>, ResourceError> {
    let wanted = response_headers_policy::wanted_name(stack);
    let all = response_headers_policy::list(stack).await?;
    Ok(all.into_iter().find(|one| response_headers_policy::name_of(one) == wanted).map(|one| one.id))
}

/// Lists the distributions of the account.
pub(crate) async fn distributions(stack: &Stack) -> Result<Vec<DistributionSummary>, ResourceError> {
    distributions::list(&stack.clients).await
}

/// Counts the origin access controls.
pub(crate) async fn access_controls(stack: &Stack) -> Result<usize, ResourceError> {
    Ok(origin_access_control::list(stack).await?.len())
}
