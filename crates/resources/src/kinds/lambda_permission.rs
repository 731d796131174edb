//! The gateway's permission to call a function: one statement in the function's resource policy. It is deleted with its
//! function.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Kind, Permission, lambda_function, rest_api};
use crate::stack::{FUNCTIONS, Stack};
use peersync_aws::NotFound as _;
use peersync_aws::retry::{Schedule, while_failing};
use peersync_engine::{
    Address, ApplyContext, Changes, Field, FieldName, Fields, Live, LiveFields, OutputMap, Outputs, Progress, Resource,
    ResourceError, SharedReads, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: None };
const NAME: &str = "lambda_permission";

const ACTION: FieldName = FieldName::new("action");
/// The service that may call the function.
const PRINCIPAL: FieldName = FieldName::new("principal");
/// The ARN of the routes from which the service may call it.
const SOURCE_ARN: FieldName = FieldName::new("source_arn");

/// The name of the managed statement.
const STATEMENT: &str = "peersync-api";
const INVOKE: &str = "lambda:InvokeFunction";
const GATEWAY: &str = "apigateway.amazonaws.com";
/// The error codes for a missing function, policy or statement.
const ABSENT: &[&str] = &["ResourceNotFoundException"];

/// Returns the address of the permission to call a function.
pub fn address(function: &str) -> Address {
    Address::new(NAME, function)
}

struct Statement {
    stack: Arc<Stack>,
    address: Address,
    /// The name of the function.
    name: String,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    let resource = |function| {
        let (address, name) = (address(function), stack.named(function));
        Arc::new(Statement { stack: stack.clone(), address, name }) as Arc<dyn Resource>
    };
    FUNCTIONS.into_iter().map(resource).collect()
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    vec![Permission {
        actions: vec!["lambda:AddPermission", "lambda:GetPolicy", "lambda:RemovePermission"],
        resources: FUNCTIONS.iter().map(|function| lambda_function::function_arn(stack, function)).collect(),
    }]
}

#[async_trait]
impl Resource for Statement {
    fn address(&self) -> &Address {
        &self.address
    }

    fn dependencies(&self) -> Vec<Address> {
        [
            rule!("lambda-permission-after-lambda", Some(lambda_function::address(&self.address.name))),
            rule!("lambda-permission-after-rest-api", Some(rest_api::address())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn taggable(&self) -> bool {
        false
    }

    async fn observe(&self, _: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let answer = self.stack.clients.lambda.get_policy().function_name(&self.name).send().await;
        let answer = answer.found(ABSENT, "failed to read the policy of the function")?;
        let Some(statement) = answer.and_then(|answer| answer.policy).and_then(|policy| ours(&policy)) else {
            return Ok(None);
        };
        Ok(Some(Live { id: STATEMENT.to_owned(), fields: live_fields(&statement), ..Live::default() }))
    }

    fn desired(&self, outputs: &Outputs) -> Fields {
        let source = outputs.get(&rest_api::address(), "id").map(|id| self.source(id));
        Fields::new().with(ACTION, INVOKE).with(PRINCIPAL, GATEWAY).with(SOURCE_ARN, Field::known_or_unknown(source))
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        let source = self.source(context.outputs.require(&rest_api::address(), "id")?);
        // The next call may not find a new function.
        let is_transient = |error: &ResourceError| rule!("lambda-visible-to-permission", error.is(ABSENT));
        while_failing(context.progress, Schedule::PROPAGATION, is_transient, || async {
            let call = self.stack.clients.lambda.add_permission().function_name(&self.name).statement_id(STATEMENT);
            let answer = call.action(INVOKE).principal(GATEWAY).source_arn(&source).send().await;
            // The statement exists if the response to an earlier attempt was lost.
            let exists: &[&str] =
                rule!("lambda-permission-create-survives-lost-answer", &["ResourceConflictException"]);
            answer.found(exists, "failed to allow the gateway to call the function").map(|_| ())
        })
        .await?;
        Ok(OutputMap::new())
    }

    async fn update(&self, context: &ApplyContext<'_>, _: &Live, _: &Changes) -> Result<OutputMap, ResourceError> {
        let call = self.stack.clients.lambda.remove_permission().function_name(&self.name).statement_id(STATEMENT);
        call.send().await.found(ABSENT, "failed to replace the permission to call the function")?;
        self.create(context).await
    }

    /// Does nothing: the permission is deleted with its function.
    async fn delete(&self, _: &Progress, _: &Live) -> Result<(), ResourceError> {
        Ok(())
    }
}

impl Statement {
    /// Returns the ARN of every stage, method and path of the stack's API.
    fn source(&self, api: &str) -> String {
        self.stack.arn("execute-api", &format!("{api}/*/*/*"))
    }
}

/// Returns the managed statement in the policy of a function.
fn ours(policy: &str) -> Option<Value> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    policy.get("Statement")?.as_array()?.iter().find(|one| one.get("Sid") == Some(&json!(STATEMENT))).cloned()
}

fn live_fields(statement: &Value) -> LiveFields {
    let at = |path: &str| statement.pointer(path).cloned().unwrap_or_default();
    let conditions = statement.get("Condition").and_then(Value::as_object);
    let mut sources = conditions.into_iter().flat_map(|conditions| conditions.values());
    let source = sources.find_map(|condition| condition.get("AWS:SourceArn").or(condition.get("aws:SourceArn")));
    LiveFields::new()
        .with(ACTION, at("/Action"))
        .with(PRINCIPAL, at("/Principal/Service"))
        .with(SOURCE_ARN, source.cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;

    #[test]
    fn managed_statement_is_found_among_others() {
        let policy = json!({ "Version": "2012-10-17", "Statement": [
            { "Sid": "other", "Action": "lambda:InvokeFunction" },
            { "Sid": STATEMENT, "Effect": "Allow", "Principal": { "Service": "apigateway.amazonaws.com" },
              "Action": "lambda:InvokeFunction", "Resource": "arn",
              "Condition": { "ArnLike": { "AWS:SourceArn": "arn:aws:execute-api:eu-west-1:1:x/*/*/*" } } },
        ]});
        let expected = LiveFields::new()
            .with(ACTION, "lambda:InvokeFunction")
            .with(PRINCIPAL, "apigateway.amazonaws.com")
            .with(SOURCE_ARN, "arn:aws:execute-api:eu-west-1:1:x/*/*/*");
        assert_eq!(live_fields(&ours(&policy.to_string()).unwrap()), expected);
        assert!(ours("{}").is_none());
        assert!(ours("no JSON").is_none());
    }
}
