//! The four Lambda functions. All run the same program, which reads from its environment which function it is.
//!
//! Nothing waits until a new function is active, because the gateway can be configured before that.

mod search;
mod settle;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_lambda::types::{Architecture, FunctionConfiguration, PackageType, Runtime};
use serde_json::json;

use super::{
    Kind, cloudflare_record, cloudfront_distribution, dynamodb_table, elastic_ip, exchange_tags, iam_role, log_group,
    s3_program, signal_instance, ssm_parameter,
};
use crate::permission::{Condition, Permission};
use crate::stack::{FUNCTIONS, Stack};
use crate::told_way::ToldWay;
use peersync_aws::NotFound as _;
use peersync_engine::{
    Address, ApplyContext, Changes, Field, FieldName, Fields, Live, LiveField, LiveFields, OutputMap, Outputs,
    Ownership, Progress, Resource, ResourceError, SharedReads, Tags, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: Some(&search::Functions) };
const NAME: &str = "lambda_function";

const RUNTIME: FieldName = FieldName::new("runtime");
const HANDLER: FieldName = FieldName::new("handler");
const ARCHITECTURE: FieldName = FieldName::new("architecture");
/// The ARN of the function's role.
const ROLE: FieldName = FieldName::new("role");
/// The id of the role for which Lambda may decrypt the environment. A role that is created again under the same name has
/// another, and Lambda still knows the one of before.
const ROLE_ID: FieldName = FieldName::new("role_id");
const MEMORY_MB: FieldName = FieldName::new("memory_mb");
const TIMEOUT_S: FieldName = FieldName::new("timeout_s");
/// The SHA-256 of the archive with the program, in the form that Lambda returns.
const CODE_SHA256: FieldName = FieldName::new("code_sha256");
const ENVIRONMENT: FieldName = FieldName::new("environment");
/// The concurrency that is reserved for the function, which should be none. With 0, nobody can call it.
const RESERVED_CONCURRENCY: FieldName = FieldName::new("reserved_concurrency");

/// The tag with the value of [`ROLE_ID`], which Lambda does not tell.
const ROLE_ID_TAG: &str = "peersync:role-id";
/// The error codes for a function that does not exist.
const ABSENT: &[&str] = &["ResourceNotFoundException"];
/// The name of the program in the archive, which the runtime `provided.al2023` prescribes.
const PROGRAM: &str = "bootstrap";
/// Fields that `UpdateFunctionConfiguration` changes.
const CONFIGURATION: &[FieldName] = &[RUNTIME, HANDLER, ROLE, MEMORY_MB, TIMEOUT_S, ENVIRONMENT];
/// Fields that `UpdateFunctionCode` changes.
const CODE: &[FieldName] = &[CODE_SHA256, ARCHITECTURE];
/// The parameters that the functions read, of which each needs some.
const READ: [&str; 8] = [
    "emailjs-private-key",
    "origin-key",
    "smtp-pass",
    "ticket-key",
    "turn-api-token",
    "turn-key-id",
    "turn-secret",
    "turn-server-secret",
];
/// An environment variable of the functions only: the API stage `api` is not part of the path that the router matches.
const FUNCTION_ENVIRONMENT: (&str, &str) = ("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true");

/// Returns the address of a function. Its outputs are `name` and `arn`.
pub fn address(function: &str) -> Address {
    Address::new(NAME, function)
}

struct Function {
    stack: Arc<Stack>,
    address: Address,
    function: &'static str,
    name: String,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    let resource = |function| {
        let (address, name) = (address(function), stack.named(function));
        Arc::new(Function { stack: stack.clone(), address, function, name }) as Arc<dyn Resource>
    };
    FUNCTIONS.into_iter().map(resource).collect()
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let functions = || FUNCTIONS.iter().map(|function| function_arn(stack, function)).collect();
    let own = [
        Permission::new(&["lambda:GetFunction", "lambda:GetFunctionConfiguration", "lambda:ListTags"], functions()),
        Permission::new(&["lambda:CreateFunction"], functions()).only(Condition::Tagged),
        Permission::new(
            &[
                "lambda:DeleteFunction",
                "lambda:DeleteFunctionConcurrency",
                "lambda:TagResource",
                "lambda:UntagResource",
                "lambda:UpdateFunctionCode",
                "lambda:UpdateFunctionConfiguration",
            ],
            functions(),
        )
        .only(Condition::Named),
    ];
    own.into_iter().chain(FUNCTIONS.iter().map(|function| iam_role::passing(stack, function))).collect()
}

/// Returns the ARN of a function, which is known before the function exists.
pub fn function_arn(stack: &Stack, function: &str) -> String {
    stack.arn("lambda", &format!("function:{}", stack.named(function)))
}

#[async_trait]
impl Resource for Function {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn highlights(&self) -> &'static [FieldName] {
        &[MEMORY_MB, TIMEOUT_S]
    }

    fn dependencies(&self) -> Vec<Address> {
        let needed = [
            rule!("lambda-after-iam-role", Some(iam_role::address(self.function))),
            // It takes the place of the own one for a moment.
            Some(iam_role::address(self.other_function())),
            // Deleted after the function, so that a late log line does not re-create the group.
            rule!("lambda-after-log-group", Some(log_group::address(self.function))),
            // Its domain is in the environment.
            rule!("lambda-after-distribution", Some(cloudfront_distribution::address())),
            // The name of the relay is in the environment.
            rule!("lambda-after-elastic-ip", Some(elastic_ip::address())),
            // Lambda copies the program from the bucket.
            rule!("lambda-after-program", Some(s3_program::address(s3_program::API))),
        ];
        let mut needed: Vec<Address> = needed.into_iter().flatten().collect();
        // The function accesses these at its first request.
        rule!("lambda-after-table" => {
            needed.extend(dynamodb_table::TABLES.iter().map(|table| dynamodb_table::address(table.part)));
        });
        rule!("lambda-after-ssm-parameter" => {
            needed.extend(READ.map(ssm_parameter::address));
        });
        needed
    }

    /// `POST /ticket` tells pages the addresses of the signaling server and of the relay. The pages that it tells go by it
    /// unless `config.json` names the path of the WebSocket.
    fn leads_to(&self) -> Vec<Address> {
        let pages = super::s3_objects::address();
        let answering = vec![signal_instance::address(), cloudflare_record::address(), pages];
        rule!("functions-lead-to-a-host-that-answers", answering)
    }

    fn leads_elsewhere(&self, live: &Live, changes: &Changes) -> bool {
        changes.has(ENVIRONMENT) && told(live) != Some(self.stack.told_way())
    }

    async fn observe(&self, _: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let answer = self.stack.clients.lambda.get_function().function_name(&self.name).send().await;
        let Some(answer) = answer.found(ABSENT, "failed to read the function")? else { return Ok(None) };
        let Some(configuration) = answer.configuration else { return Ok(None) };
        let tags: Tags = answer.tags.unwrap_or_default().into_iter().collect();
        let reserved = answer.concurrency.and_then(|concurrency| concurrency.reserved_concurrent_executions);
        Ok(Some(Live {
            id: self.name.clone(),
            fields: live_fields(&configuration)
                .with(ROLE_ID, tags.get(ROLE_ID_TAG).map_or(LiveField::Unreadable, |id| LiveField::known(id.as_str())))
                .with(RESERVED_CONCURRENCY, reserved),
            ownership: self.ownership(&configuration, &tags),
            tags: Some(tags),
            outputs: self.outputs(),
        }))
    }

    fn desired(&self, outputs: &Outputs) -> Fields {
        let environment = self.environment(outputs).map(|environment| json!(environment));
        Fields::new()
            .with(RUNTIME, Runtime::Providedal2023.as_str())
            .with(HANDLER, PROGRAM)
            .with(ARCHITECTURE, self.stack.config.api.architecture.name())
            .with(ROLE, iam_role::role_arn(&self.stack, self.function))
            .with(ROLE_ID, Field::known_or_unknown(outputs.get(&iam_role::address(self.function), "id")))
            .with(MEMORY_MB, self.stack.config.api.memory_mb)
            .with(TIMEOUT_S, self.timeout())
            .with(CODE_SHA256, self.stack.api_program().package_sha256)
            .with(ENVIRONMENT, Field::known_or_unknown(environment))
            .with(RESERVED_CONCURRENCY, None::<i32>)
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        self.create_function(context).await?;
        Ok(self.outputs())
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        // A function of an earlier version does not tell the id of its role.
        let has_other_role = changes.has(ROLE_ID) && matches!(live.fields.field(ROLE_ID), Some(LiveField::Known(_)));
        let reconfigures = changes.has_any(CONFIGURATION) || has_other_role;
        if reconfigures {
            rule!("lambda-settled-before-update" => {
                self.wait_until_idle(context.progress).await?;
            });
            rule!("lambda-learns-the-new-role" => {
                if has_other_role {
                    self.put_other_role(context.progress).await?;
                    self.wait_until_settled(context.progress).await?;
                }
            });
            self.put_configuration(context).await?;
        }
        if changes.has_any(CODE) {
            rule!("lambda-settings-before-code" => {
                if reconfigures {
                    self.wait_until_settled(context.progress).await?;
                } else {
                    self.wait_until_idle(context.progress).await?;
                }
            });
            self.put_code(context).await?;
        }
        if reconfigures || changes.has_any(CODE) {
            rule!("lambda-settled-after-update" => {
                self.wait_until_settled(context.progress).await?;
            });
        }
        if changes.has(RESERVED_CONCURRENCY) {
            self.release_concurrency().await?;
        }
        exchange_tags(changes, |keys| self.remove_tags(keys), self.put_tags(context)).await?;
        Ok(live.outputs.clone())
    }

    async fn delete(&self, progress: &Progress, _: &Live) -> Result<(), ResourceError> {
        self.delete_function(progress).await
    }
}

impl Function {
    /// A function keeps the form of its program: a container image is never replaced by an archive.
    fn ownership(&self, configuration: &FunctionConfiguration, tags: &Tags) -> Ownership {
        match (self.stack.ownership(tags), configuration.package_type()) {
            (Ownership::Foreign(_), Some(PackageType::Image)) => {
                Ownership::OutOfReach("it runs a container image, and that of a function cannot be changed".to_owned())
            }
            (ownership, _) => ownership,
        }
    }

    fn outputs(&self) -> OutputMap {
        OutputMap::new().with("name", &self.name).with("arn", function_arn(&self.stack, self.function))
    }

    /// Returns another function of the stack, whose role this one may have for a moment.
    fn other_function(&self) -> &'static str {
        let others = FUNCTIONS.iter().skip_while(|function| **function != self.function).skip(1);
        others.chain(&FUNCTIONS).next().copied().unwrap_or(self.function)
    }

    /// Returns the timeout in whole seconds, rounded up. The configuration has checked the limits.
    fn timeout(&self) -> i32 {
        let span = self.stack.config.api.timeout.0;
        i32::try_from(span.as_secs() + u64::from(span.subsec_nanos() > 0)).unwrap_or(i32::MAX)
    }

    /// Returns the environment variables; `None` until the URLs in them are known.
    fn environment(&self, outputs: &Outputs) -> Option<BTreeMap<String, String>> {
        let mut environment = self.stack.function_environment(outputs)?;
        let build = self.stack.api_program().elf_sha256;
        let own = [FUNCTION_ENVIRONMENT, ("PEERSYNC_BUILD", build), ("PEERSYNC_FUNCTION", self.function)];
        environment.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Some(environment)
    }
}

/// Returns the way in that a function tells.
fn told(live: &Live) -> Option<ToldWay> {
    match live.fields.field(ENVIRONMENT) {
        Some(LiveField::Known(environment)) => {
            Some(ToldWay::of(|name| environment.get(name).and_then(|value| value.as_str()).unwrap_or_default()))
        }
        _ => None,
    }
}

fn live_fields(function: &FunctionConfiguration) -> LiveFields {
    let variables = function.environment.as_ref().and_then(|environment| environment.variables.as_ref());
    let variables: BTreeMap<&String, &String> = variables.into_iter().flatten().collect();
    let architecture = function.architectures().first();
    LiveFields::new()
        .with(RUNTIME, function.runtime.as_ref().map(Runtime::as_str))
        .with(HANDLER, function.handler())
        .with(ARCHITECTURE, architecture.map_or("x86_64", Architecture::as_str))
        .with(ROLE, function.role())
        .with(MEMORY_MB, function.memory_size())
        .with(TIMEOUT_S, function.timeout())
        .with(CODE_SHA256, function.code_sha256())
        .with(ENVIRONMENT, json!(variables))
}
