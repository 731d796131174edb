//! The gateway's permission to call a function: the only statement in the function's resource policy. Any other is
//! removed, because it lets somebody call the function past the gateway. It is deleted with its function.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Kind, lambda_function, rest_api};
use crate::permission::{Condition, Permission};
use crate::stack::{FUNCTIONS, Stack};
use peersync_aws::NotFound as _;
use peersync_aws::retry::{Schedule, while_failing};
use peersync_engine::{
    Address, ApplyContext, Changes, Field, FieldName, Fields, Live, LiveField, LiveFields, OutputMap, Outputs,
    Progress, Resource, ResourceError, SharedReads, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: None };
const NAME: &str = "lambda_permission";

const ACTION: FieldName = FieldName::new("action");
/// The service that may call the function.
const PRINCIPAL: FieldName = FieldName::new("principal");
/// The ARN of the routes from which the service may call it.
const SOURCE_ARN: FieldName = FieldName::new("source_arn");
/// Further statements, which should be none.
const OTHER_STATEMENTS: FieldName = FieldName::new("other_statements");

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
    let functions = || FUNCTIONS.iter().map(|function| lambda_function::function_arn(stack, function)).collect();
    vec![
        Permission::new(&["lambda:GetPolicy"], functions()),
        Permission::new(&["lambda:AddPermission", "lambda:RemovePermission"], functions()).only(Condition::Named),
    ]
}

#[async_trait]
impl Resource for Statement {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.name.clone())
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
        let statements = answer.and_then(|answer| answer.policy).map(|policy| statements(&policy)).unwrap_or_default();
        if statements.is_empty() {
            return Ok(None);
        }
        Ok(Some(Live { id: STATEMENT.to_owned(), fields: live_fields(statements), ..Live::default() }))
    }

    fn desired(&self, outputs: &Outputs) -> Fields {
        let source = outputs.get(&rest_api::address(), "id").map(|id| self.source(id));
        Fields::new()
            .with(ACTION, INVOKE)
            .with(PRINCIPAL, GATEWAY)
            .with(SOURCE_ARN, Field::known_or_unknown(source))
            .with(OTHER_STATEMENTS, json!([]))
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

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        if let Some(LiveField::Unmanaged(Value::Array(others))) = live.fields.field(OTHER_STATEMENTS) {
            for id in others.iter().filter_map(|other| other.get("Sid")?.as_str()) {
                self.remove(id).await?;
            }
        }
        if changes.has_any(&[ACTION, PRINCIPAL, SOURCE_ARN]) {
            self.remove(STATEMENT).await?;
            self.create(context).await?;
        }
        Ok(OutputMap::new())
    }

    /// Does nothing: the permission is deleted with its function.
    async fn delete(&self, _: &Progress, _: &Live) -> Result<(), ResourceError> {
        Ok(())
    }
}

impl Statement {
    async fn remove(&self, statement: &str) -> Result<(), ResourceError> {
        let call = self.stack.clients.lambda.remove_permission().function_name(&self.name).statement_id(statement);
        call.send().await.found(ABSENT, "failed to remove a permission to call the function").map(|_| ())
    }

    /// Returns the ARN of every stage, method and path of the stack's API.
    fn source(&self, api: &str) -> String {
        self.stack.arn("execute-api", &format!("{api}/*/*/*"))
    }
}

/// Returns the statements of a policy.
fn statements(policy: &str) -> Vec<Value> {
    let policy: Option<Value> = serde_json::from_str(policy).ok();
    policy.and_then(|mut policy| Some(policy.get_mut("Statement")?.as_array_mut()?.split_off(0))).unwrap_or_default()
}

fn live_fields(statements: Vec<Value>) -> LiveFields {
    let (ours, mut others): (Vec<Value>, Vec<Value>) =
        statements.into_iter().partition(|one| one.get("Sid") == Some(&json!(STATEMENT)));
    // It is the function itself in each of them.
    others.iter_mut().filter_map(Value::as_object_mut).for_each(|other| drop(other.remove("Resource")));
    let at = |path: &str| ours.first().and_then(|ours| ours.pointer(path)).cloned().unwrap_or_default();
    let conditions = at("/Condition");
    let mut sources = conditions.as_object().into_iter().flat_map(|conditions| conditions.values());
    let source = sources.find_map(|condition| condition.get("AWS:SourceArn").or(condition.get("aws:SourceArn")));
    LiveFields::new()
        .with(ACTION, at("/Action"))
        .with(PRINCIPAL, at("/Principal/Service"))
        .with(SOURCE_ARN, source.cloned().unwrap_or_default())
        .with(OTHER_STATEMENTS, LiveField::Unmanaged(others.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn managed_statement_is_told_from_others() {
        let policy = json!({ "Version": "2012-10-17", "Statement": [
            { "Sid": "other", "Action": "lambda:InvokeFunction", "Principal": "*", "Resource": "arn" },
            { "Sid": STATEMENT, "Effect": "Allow", "Principal": { "Service": "apigateway.amazonaws.com" },
              "Action": "lambda:InvokeFunction", "Resource": "arn",
              "Condition": { "ArnLike": { "AWS:SourceArn": "arn:aws:execute-api:eu-west-1:1:x/*/*/*" } } },
        ]});
        let others = json!([{ "Sid": "other", "Action": "lambda:InvokeFunction", "Principal": "*" }]);
        let expected = LiveFields::new()
            .with(ACTION, "lambda:InvokeFunction")
            .with(PRINCIPAL, "apigateway.amazonaws.com")
            .with(SOURCE_ARN, "arn:aws:execute-api:eu-west-1:1:x/*/*/*")
            .with(OTHER_STATEMENTS, LiveField::Unmanaged(others));
        assert_eq!(live_fields(statements(&policy.to_string())), expected);
        assert!(statements("{}").is_empty());
        assert!(statements("no JSON").is_empty());
    }
}
