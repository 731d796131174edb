//! The account's role for API Gateway's logs, one for all APIs of the region.

use super::super::iam_role;
use super::super::rest_api::{QuotaRetry as _, replace};
use crate::stack::Stack;
use peersync_aws::Context as _;
use peersync_aws::retry::{Schedule, while_failing};
use peersync_engine::{Failure, Progress, ResourceError, rule};

/// The path of the setting in patch operations.
const PATH: &str = "/cloudwatchRoleArn";

/// Returns whether the settings of an API stage were rejected because the account has no role.
pub(super) fn is_missing(error: &ResourceError) -> bool {
    error.is(&["BadRequestException"]) && error.mentions("CloudWatch Logs role ARN must be set")
}

/// Sets the stack's role as the account's if the account has none.
pub(super) async fn provide(stack: &Stack, progress: &Progress) -> Result<(), ResourceError> {
    if role(stack).await?.is_some() {
        return Ok(());
    }
    put(stack, progress, &iam_role::role_arn(stack, "gateway")).await
}

/// Repeats `change` until the account's role has propagated.
pub(super) async fn wait<F, Fut>(progress: &Progress, change: F) -> Result<(), ResourceError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<(), ResourceError>>,
{
    let is_transient =
        |error: &ResourceError| rule!("gateway-account-role-visible", is_missing(error)) || cannot_write(error);
    while_failing(progress, Schedule::PROPAGATION, is_transient, change).await
}

/// Unsets the account's role if it is the stack's.
pub(super) async fn release(stack: &Stack, progress: &Progress) -> Result<(), ResourceError> {
    match role(stack).await {
        Ok(Some(role)) if role == iam_role::role_arn(stack, "gateway") => put(stack, progress, "").await,
        Err(error) if error.failure != Failure::NotOffered => Err(error),
        _ => Ok(()),
    }
}

async fn role(stack: &Stack) -> Result<Option<String>, ResourceError> {
    let answer = stack.clients.api_gateway.get_account().send().await;
    let answer = answer.context("failed to read the account's settings of API Gateway")?;
    Ok(answer.cloudwatch_role_arn.filter(|role| !role.is_empty()))
}

async fn put(stack: &Stack, progress: &Progress, role: &str) -> Result<(), ResourceError> {
    let call = stack.clients.api_gateway.update_account().patch_operations(replace(PATH, role));
    let change = || async {
        call.clone().send().await.context("failed to change the account's settings of API Gateway").map(|_| ())
    };
    // A new role and its policy take a while to propagate.
    let is_transient =
        |error: &ResourceError| rule!("gateway-role-assumable", is_not_assumable(error)) || cannot_write(error);
    while_failing(progress, Schedule::PROPAGATION, is_transient, || progress.with_quota_retry(change)).await
}

/// Returns whether API Gateway rejected a role that it cannot assume, or whose policy it does not see.
fn is_not_assumable(error: &ResourceError) -> bool {
    error.is(&["BadRequestException"]) && error.mentions("does not have required permissions")
}

/// Returns whether API Gateway tried to write to CloudWatch Logs with a role that IAM does not know everywhere yet. It
/// also says so ("Rate exceeded") if too many log groups are being created. Both pass; Terraform repeats them too
/// (`internal/service/apigateway/account.go`).
fn cannot_write(error: &ResourceError) -> bool {
    let is_refused = error.mentions("could not successfully write to CloudWatch Logs");
    rule!("gateway-role-writes-logs", error.is(&["BadRequestException"]) && is_refused)
}
