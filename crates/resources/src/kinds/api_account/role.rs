//! The role that the stacks of a region share, and what can be the matter with the role of an account.

use aws_sdk_iam::types::{Role, Tag};
use serde_json::Value;

use super::super::iam_role::{self, ABSENT, EXISTS, documents};
use crate::stack::{MANAGED_BY, MANAGED_BY_TAG, SHARED_MARK, Stack, marked};
use peersync_aws::retry::{Schedule, while_failing};
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{Failure, Progress, ResourceError, rule};

/// Returns the ARN of the shared role, which is known before it exists.
pub(super) fn arn(stack: &Stack) -> String {
    stack.iam_arn(&format!("role/{}", stack.shared_log_role()))
}

/// Returns why API Gateway cannot use a role, or will soon not be able to; `None` if nothing is the matter, or if the
/// caller may not read it.
pub(super) async fn trouble(stack: &Stack, arn: &str) -> Result<Option<String>, ResourceError> {
    let ours = stack.iam_arn("role/");
    let Some(path) = arn.strip_prefix(&ours) else { return Ok(Some(format!("{arn} is no role of this account"))) };
    let name = path.rsplit('/').next().unwrap_or(path);
    let policy = async {
        match name == stack.shared_log_role() {
            true => policy(stack).await.map(Some),
            false => Ok(None),
        }
    };
    let (role, policy) = futures::join!(read(stack, name), policy);
    let role = match role {
        Err(error) if error.failure == Failure::Denied => return Ok(None),
        role => role?,
    };
    let Some(role) = role.filter(|role| role.arn == arn) else { return Ok(Some(format!("{arn} does not exist"))) };
    let trust = role.assume_role_policy_document.as_deref().map_or(Value::Null, documents::parse);
    if !lets_assume(&trust) {
        return Ok(Some(format!("API Gateway may not assume {arn}")));
    }
    if policy?.is_some_and(|policy| policy != documents::of_gateway()) {
        return Ok(Some(format!("{arn} may not write logs")));
    }
    let owner = role.description().and_then(marked);
    Ok(owner.map(|owner| format!("{arn} is deleted with the stack {owner}")))
}

/// Returns whether the shared role exists, as far as the caller may know.
pub(super) async fn exists(stack: &Stack) -> Result<bool, ResourceError> {
    match read(stack, &stack.shared_log_role()).await {
        Err(error) if error.failure == Failure::Denied => Ok(false),
        role => Ok(role?.is_some()),
    }
}

async fn read(stack: &Stack, name: &str) -> Result<Option<Role>, ResourceError> {
    let answer = stack.clients.iam.get_role().role_name(name).send().await;
    Ok(answer.found(ABSENT, "failed to read the account's role for the logs of API Gateway")?.and_then(|one| one.role))
}

/// Reads the policy of the shared role.
async fn policy(stack: &Stack) -> Result<Value, ResourceError> {
    let call = stack.clients.iam.get_role_policy().role_name(stack.shared_log_role());
    let answer = call.policy_name(iam_role::POLICY).send().await;
    let answer = answer.found(ABSENT, "failed to read the policy of the shared role")?;
    Ok(answer.map_or(Value::Null, |answer| documents::parse(&answer.policy_document)))
}

/// Returns whether a trust policy lets API Gateway assume its role. Conditions are not evaluated.
fn lets_assume(trust: &Value) -> bool {
    let all = |value: &Value| match value {
        Value::Array(all) => all.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    let statements = all(trust.get("Statement").unwrap_or(&Value::Null));
    statements.iter().any(|statement| {
        let services = statement.pointer("/Principal/Service").map(all).unwrap_or_default();
        let actions = statement.get("Action").map(all).unwrap_or_default();
        let is_allowed = statement.get("Effect").is_some_and(|effect| effect == "Allow");
        let mut actions = actions.iter().filter_map(Value::as_str);
        is_allowed
            && services.iter().any(|service| service == iam_role::API_GATEWAY)
            && actions.any(|action| ["sts:AssumeRole", "sts:*", "*"].contains(&action))
    })
}

/// Creates the shared role, or brings back its trust and its policy.
pub(super) async fn ensure(stack: &Stack, progress: &Progress) -> Result<(), ResourceError> {
    const SUMMARY: &str = "failed to create the shared role for the logs of API Gateway";
    let (iam, name) = (&stack.clients.iam, stack.shared_log_role());
    let trust = documents::trust(iam_role::API_GATEWAY);
    match read(stack, &name).await? {
        None => {
            let tag = Tag::builder().key(MANAGED_BY_TAG).value(MANAGED_BY).build().context(SUMMARY)?;
            let call = iam.create_role().role_name(&name).tags(tag).description(SHARED_MARK);
            let call = call.set_permissions_boundary(stack.config.stack.permissions_boundary.clone());
            let answer = call.assume_role_policy_document(trust.to_string()).send().await;
            // Another stack may be doing the same.
            answer.found(rule!("shared-role-create-survives-another", EXISTS), SUMMARY)?;
        }
        Some(role) if role.assume_role_policy_document.as_deref().map(documents::parse) != Some(trust.clone()) => {
            let call = iam.update_assume_role_policy().role_name(&name).policy_document(trust.to_string());
            call.send().await.context("failed to change who may assume the shared role")?;
        }
        Some(_) => {}
    }
    if policy(stack).await? == documents::of_gateway() {
        return Ok(());
    }
    // The next call may not find a new role.
    let is_transient = |error: &ResourceError| rule!("shared-role-visible-to-policy", error.is(ABSENT));
    while_failing(progress, Schedule::PROPAGATION, is_transient, || async {
        let call = iam.put_role_policy().role_name(&name).policy_name(iam_role::POLICY);
        let call = call.policy_document(documents::of_gateway().to_string());
        call.send().await.context("failed to set the policy of the shared role").map(|_| ())
    })
    .await
}

/// Deletes the shared role.
pub(super) async fn delete(stack: &Stack, progress: &Progress) -> Result<(), ResourceError> {
    const SUMMARY: &str = "failed to delete the shared role for the logs of API Gateway";
    let (iam, name) = (&stack.clients.iam, stack.shared_log_role());
    let answer = iam.delete_role_policy().role_name(&name).policy_name(iam_role::POLICY).send().await;
    answer.found(ABSENT, SUMMARY)?;
    // The removal of the policy takes a while to propagate.
    let is_transient = |error: &ResourceError| rule!("shared-role-detaching-takes-time", error.is(iam_role::IN_USE));
    while_failing(progress, Schedule::PROPAGATION, is_transient, || async {
        let answer = iam.delete_role().role_name(&name).send().await;
        answer.found(rule!("shared-role-delete-survives-absence", ABSENT), SUMMARY).map(|_| ())
    })
    .await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn role_is_usable_only_if_api_gateway_may_assume_it() {
        let trust = |effect: &str, principal: Value, action: Value| json!({ "Statement": [{ "Effect": effect, "Principal": principal, "Action": action }] });
        let services = json!({ "Service": ["lambda.amazonaws.com", "apigateway.amazonaws.com"] });
        assert!(lets_assume(&documents::trust(iam_role::API_GATEWAY)));
        assert!(lets_assume(&trust("Allow", services.clone(), json!(["sts:TagSession", "sts:AssumeRole"]))));
        assert!(lets_assume(&json!({ "Statement": documents::trust(iam_role::API_GATEWAY)["Statement"][0] })));
        assert!(!lets_assume(&trust("Deny", services, json!("sts:AssumeRole"))));
        assert!(!lets_assume(&documents::trust("lambda.amazonaws.com")));
        assert!(!lets_assume(&trust("Allow", json!("*"), json!("sts:TagSession"))));
        assert!(!lets_assume(&Value::Null));
    }
}
