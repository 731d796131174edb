//! The setting of the account, and who needs it.

use aws_sdk_apigateway::types::Stage;

use super::super::rest_api::{ABSENT, QuotaRetry as _, list, replace};
use crate::stack::Stack;
use peersync_aws::retry::{Schedule, while_failing};
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{Progress, ResourceError, rule};

/// The path of the setting in patch operations.
const PATH: &str = "/cloudwatchRoleArn";
/// The level of execution logs that writes none.
const OFF: &str = "OFF";

/// Returns whether the settings of an API stage were rejected because the account has no role.
pub(in crate::kinds) fn is_missing(error: &ResourceError) -> bool {
    error.is(&["BadRequestException"]) && error.mentions("CloudWatch Logs role ARN must be set")
}

/// Returns whether API Gateway tried to write to CloudWatch Logs with a role that IAM does not know everywhere yet. It
/// also says so ("Rate exceeded") if too many log groups are being created. Both pass; Terraform repeats them too
/// (`internal/service/apigateway/account.go`).
pub(in crate::kinds) fn cannot_write(error: &ResourceError) -> bool {
    let is_refused = error.mentions("could not successfully write to CloudWatch Logs");
    rule!("gateway-role-writes-logs", error.is(&["BadRequestException"]) && is_refused)
}

/// Returns the ARN of the account's role.
pub(super) async fn role(stack: &Stack) -> Result<Option<String>, ResourceError> {
    let answer = stack.clients.api_gateway.get_account().send().await;
    let answer = answer.context("failed to read the account's settings of API Gateway")?;
    Ok(answer.cloudwatch_role_arn.filter(|role| !role.is_empty()))
}

/// Sets the account's role; an empty ARN removes it.
pub(super) async fn put(stack: &Stack, progress: &Progress, role: &str) -> Result<(), ResourceError> {
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

/// Returns whether a stage of any REST API in the region writes a log.
pub(super) async fn is_needed(stack: &Stack, progress: &Progress) -> Result<bool, ResourceError> {
    for id in list(&stack.clients).await?.into_iter().filter_map(|api| api.id) {
        let call = stack.clients.api_gateway.get_stages().rest_api_id(&id);
        let read = || async { call.clone().send().await.found(ABSENT, "failed to read the stages of an API") };
        let answer = progress.with_quota_retry(read).await?;
        if answer.is_some_and(|answer| answer.item().iter().any(writes_log)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether a stage has an access log or execution logs.
fn writes_log(stage: &Stage) -> bool {
    let access = stage.access_log_settings.as_ref().and_then(|log| log.destination_arn.as_deref());
    let methods = stage.method_settings.iter().flat_map(|settings| settings.values());
    let mut levels = methods.filter_map(|settings| settings.logging_level.as_deref());
    access.is_some_and(|arn| !arn.is_empty()) || levels.any(|level| !level.is_empty() && level != OFF)
}
