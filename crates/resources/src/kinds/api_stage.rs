//! The API stage `api` and the deployment that it publishes. A new deployment is created only if a route has changed.
//!
//! An API stage can write its access log only if the account has a role for that (`api_account`).

mod throttles;

pub use throttles::SHARES;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_apigateway::types::{Op, PatchOperation};

use super::rest_api::{self, ABSENT, PAGE, QuotaRetry as _, replace};
use super::{Kind, api_account, api_routes, log_group};
use crate::permission::{Condition, Permission};
use crate::stack::Stack;
use peersync_aws::retry::{Schedule, while_failing};
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{
    Address, ApplyContext, Changes, FieldName, Fields, Live, LiveFields, OutputMap, Outputs, Progress, Resource,
    ResourceError, SharedReads, Tags, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: None };
const NAME: &str = "api_stage";

/// The name of the API stage, which is the first part of the path that CloudFront forwards.
pub const STAGE: &str = "api";
/// The digest of the routes in the deployment that the stage serves.
const ROUTES: FieldName = FieldName::new("routes");
const REQUESTS_PER_SECOND: FieldName = FieldName::new("requests_per_second");
/// The number of requests that may exceed the rate at once.
const BURST: FieldName = FieldName::new("burst");
/// The limits of the routes of signing in, see [`throttles`].
const SIGN_IN_REQUESTS: FieldName = FieldName::new("sign_in_requests");
/// The ARN of the log group of the access log.
const ACCESS_LOG: FieldName = FieldName::new("access_log");
const ACCESS_LOG_FORMAT: FieldName = FieldName::new("access_log_format");
/// The fields that are settings of the stage itself.
const SETTINGS: &[FieldName] = &[REQUESTS_PER_SECOND, BURST, SIGN_IN_REQUESTS, ACCESS_LOG, ACCESS_LOG_FORMAT];

/// The key of the settings for all methods of an API stage.
const ALL_METHODS: &str = "*/*";
/// The prefix of the routes' digest in the description of a deployment.
const DESCRIPTION_PREFIX: &str = "routes ";
/// The format of an access log line. It has the path of the route, because request paths contain email addresses.
const LOG_FORMAT: &str = concat!(
    r#"{"requestId":"$context.requestId","time":$context.requestTimeEpoch,"ip":"$context.identity.sourceIp","#,
    r#""method":"$context.httpMethod","route":"$context.resourcePath","status":"$context.status","#,
    r#""length":"$context.responseLength","latency":"$context.responseLatency","error":"$context.error.message"}"#
);

/// Returns the address of the API stage.
pub fn address() -> Address {
    Address::new(NAME, STAGE)
}

struct Stage {
    stack: Arc<Stack>,
    address: Address,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(Stage { stack: stack.clone(), address: address() })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let paths = ["/restapis/*/deployments", "/restapis/*/deployments/*", "/restapis/*/stages", "/restapis/*/stages/*"];
    let paths: Vec<String> = paths.iter().map(|path| rest_api::arn(stack, path)).collect();
    vec![
        Permission::new(&["apigateway:GET"], paths.clone()),
        // For conditions, they have the tags of their API.
        Permission::new(&["apigateway:POST", "apigateway:PATCH", "apigateway:DELETE"], paths).only(Condition::Ours),
        // Setting an access log creates a log delivery in the caller's name.
        Permission::anywhere(&[
            "logs:CreateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:DescribeResourcePolicies",
            "logs:GetLogDelivery",
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:UpdateLogDelivery",
        ]),
    ]
}

#[async_trait]
impl Resource for Stage {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(STAGE.to_owned())
    }

    fn highlights(&self) -> &'static [FieldName] {
        &[REQUESTS_PER_SECOND]
    }

    fn dependencies(&self) -> Vec<Address> {
        [
            rule!("api-stage-after-api-routes", Some(api_routes::address())),
            rule!("api-stage-after-rest-api", Some(rest_api::address())),
            rule!("api-stage-after-log-group", Some(log_group::address("api-access"))),
            rule!("api-stage-after-api-account", Some(api_account::address())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let Some(id) = rest_api::found_id(&self.stack, reads).await? else { return Ok(None) };
        let gateway = &self.stack.clients.api_gateway;
        let deployments = gateway.get_deployments().rest_api_id(&id).limit(PAGE).into_paginator().items().send();
        let (stage, deployments) = futures::join!(
            gateway.get_stage().rest_api_id(&id).stage_name(STAGE).send(),
            deployments.collect::<Result<Vec<_>, _>>(),
        );
        let Some(stage) = stage.found(ABSENT, "failed to read the stage of the API")? else { return Ok(None) };
        let deployments = deployments.found(ABSENT, "failed to read the deployments of the API")?.unwrap_or_default();
        let shown = deployments.into_iter().find(|deployment| deployment.id == stage.deployment_id);
        let routes = shown.and_then(|deployment| deployment.description).unwrap_or_default();
        let sign_in = stage.method_settings.as_ref().map(|settings| throttles::found(&self.stack, settings));
        let settings = stage.method_settings.as_ref().and_then(|settings| settings.get(ALL_METHODS));
        let log = stage.access_log_settings.as_ref();
        let destination = log.and_then(|log| log.destination_arn.as_deref()).map(|arn| arn.trim_end_matches(":*"));
        let tags: Tags = stage.tags.clone().unwrap_or_default().into_iter().collect();
        Ok(Some(Live {
            fields: LiveFields::new()
                .with(ROUTES, routes.strip_prefix(DESCRIPTION_PREFIX))
                .with(REQUESTS_PER_SECOND, settings.map(|settings| settings.throttling_rate_limit))
                .with(BURST, settings.map(|settings| settings.throttling_burst_limit))
                .with(SIGN_IN_REQUESTS, sign_in)
                .with(ACCESS_LOG, destination)
                .with(ACCESS_LOG_FORMAT, log.and_then(|log| log.format.as_deref())),
            ownership: self.stack.ownership(&tags),
            tags: Some(tags),
            outputs: self.outputs(&id),
            id,
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        let api = &self.stack.config.api;
        Fields::new()
            .with(ROUTES, api_routes::digest(&self.stack))
            .with(REQUESTS_PER_SECOND, api.requests_per_second)
            .with(BURST, api.burst)
            .with(SIGN_IN_REQUESTS, throttles::wanted(&self.stack))
            .with(ACCESS_LOG, self.log_group())
            .with(ACCESS_LOG_FORMAT, LOG_FORMAT)
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        let id = context.outputs.require(&rest_api::address(), "id")?;
        let deployment = self.deploy(context, id).await?;
        let tags = context.tags.clone().into_iter().collect();
        let call = self.stack.clients.api_gateway.create_stage().rest_api_id(id).stage_name(STAGE);
        let call = call.deployment_id(&deployment).set_tags(Some(tags));
        let create = || async { call.clone().send().await.context("failed to create the stage of the API") };
        match context.progress.with_quota_retry(create).await {
            // An earlier attempt succeeded, but its response was lost.
            Err(error) if rule!("api-stage-create-survives-lost-answer", error.is(&["ConflictException"])) => {
                self.patch(context, id, vec![replace("/deploymentId", &deployment)]).await?;
            }
            result => result.map(|_| ())?,
        }
        self.patch(context, id, self.settings()).await?;
        Ok(self.outputs(id))
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        let mut patches = Vec::new();
        if changes.has(ROUTES) {
            patches.push(replace("/deploymentId", &self.deploy(context, &live.id).await?));
        }
        if changes.has_any(SETTINGS) {
            patches.extend(self.settings());
        }
        if !patches.is_empty() {
            self.patch(context, &live.id, patches).await?;
        }
        let arn = rest_api::arn(&self.stack, &format!("/restapis/{}/stages/{STAGE}", live.id));
        rest_api::exchange_gateway_tags(&self.stack, context, changes, &arn).await?;
        Ok(live.outputs.clone())
    }

    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        // A line that is late by then would create the log group again.
        rule!("access-log-ends-before-stage" => {
            self.end_access_log(progress, &live.id).await?;
        });
        let call = self.stack.clients.api_gateway.delete_stage().rest_api_id(&live.id).stage_name(STAGE);
        let delete = || async {
            let absent = rule!("api-stage-delete-survives-absence", ABSENT);
            call.clone().send().await.found(absent, "failed to delete the stage of the API")
        };
        progress.with_quota_retry(delete).await.map(|_| ())
    }
}

impl Stage {
    fn outputs(&self, id: &str) -> OutputMap {
        OutputMap::new().with("name", STAGE).with("api", id)
    }

    fn log_group(&self) -> String {
        self.stack.arn("logs", &format!("log-group:{}", self.stack.log_group("api-access")))
    }

    fn settings(&self) -> Vec<PatchOperation> {
        let api = &self.stack.config.api;
        let mut settings = vec![
            replace(&format!("/{ALL_METHODS}/throttling/rateLimit"), &api.requests_per_second.to_string()),
            replace(&format!("/{ALL_METHODS}/throttling/burstLimit"), &api.burst.to_string()),
            replace("/accessLogSettings/destinationArn", &self.log_group()),
            replace("/accessLogSettings/format", LOG_FORMAT),
        ];
        settings.extend(throttles::patches(&self.stack));
        settings
    }

    /// Creates a deployment of the current routes and returns its id.
    async fn deploy(&self, context: &ApplyContext<'_>, id: &str) -> Result<String, ResourceError> {
        let description = format!("{DESCRIPTION_PREFIX}{}", api_routes::digest(&self.stack));
        let call = self.stack.clients.api_gateway.create_deployment().rest_api_id(id).description(description);
        let deploy = || async { call.clone().send().await.context("failed to deploy the routes of the API") };
        let deployment = context.progress.with_quota_retry(deploy).await?;
        deployment.id.ok_or_else(|| ResourceError::new("API Gateway returned a deployment without an id"))
    }

    async fn patch(
        &self,
        context: &ApplyContext<'_>,
        id: &str,
        patches: Vec<PatchOperation>,
    ) -> Result<(), ResourceError> {
        let call = self.stack.clients.api_gateway.update_stage().rest_api_id(id).stage_name(STAGE);
        let call = call.set_patch_operations(Some(patches));
        let change =
            || async { call.clone().send().await.context("failed to change the stage of the API").map(|_| ()) };
        match context.progress.with_quota_retry(change).await {
            // Another stack that was removed meanwhile did not know of this one.
            Err(error) if rule!("gateway-account-role-before-log", api_account::is_missing(&error)) => {
                api_account::provide(&self.stack, context.progress).await?;
            }
            Err(error) if api_account::cannot_write(&error) => {}
            result => return result,
        }
        let is_transient = |error: &ResourceError| {
            rule!("gateway-account-role-visible", api_account::is_missing(error)) || api_account::cannot_write(error)
        };
        while_failing(context.progress, Schedule::PROPAGATION, is_transient, change).await
    }

    /// Takes the access log off the stage, if both are still there.
    async fn end_access_log(&self, progress: &Progress, id: &str) -> Result<(), ResourceError> {
        let removal = PatchOperation::builder().op(Op::Remove).path("/accessLogSettings").build();
        let call = self.stack.clients.api_gateway.update_stage().rest_api_id(id).stage_name(STAGE);
        let call = call.patch_operations(removal);
        let end =
            || async { call.clone().send().await.found(ABSENT, "failed to end the access log of the API").map(|_| ()) };
        progress.with_quota_retry(end).await
    }
}
