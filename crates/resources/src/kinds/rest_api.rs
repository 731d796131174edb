//! The REST API without its routes. They are a separate resource because the distribution needs only the API's id.
//!
//! Names of APIs are not unique. The stack's API is the newest one with its name and tags: if the response to a
//! creation was lost, the call was repeated, and everything else belongs to the API of the last response. Older ones
//! are removed.

mod quota;
mod search;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_apigateway::types::{EndpointConfiguration, EndpointType, Op, PatchOperation, RestApi};
use serde_json::json;

pub(super) use self::quota::QuotaRetry;
use super::{Kind, exchange_tags};
use crate::permission::{Condition, Permission};
use crate::stack::{DNS_SUFFIX, Stack};
use peersync_aws::{Clients, Context as _, NotFound as _};
use peersync_engine::{
    Address, ApplyContext, Changes, FieldName, Fields, Live, LiveField, LiveFields, OutputMap, Outputs, Ownership,
    Progress, Resource, ResourceError, SharedReads, Tags, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: Some(&search::Apis) };
const NAME: &str = "rest_api";

const DESCRIPTION: FieldName = FieldName::new("description");
/// The type of the endpoint.
const ENDPOINT: FieldName = FieldName::new("endpoint");
/// Whether the API answers under its own domain.
const ANSWERS: FieldName = FieldName::new("answers");
const BINARY_TYPES: FieldName = FieldName::new("binary_types");
/// The ids of further managed APIs, left over from a creation whose response was lost.
const SURPLUS: FieldName = FieldName::new("surplus");

/// The error codes for something that does not exist.
pub(super) const ABSENT: &[&str] = &["NotFoundException"];
/// The maximum number of entries per page.
pub(super) const PAGE: i32 = 500;
/// The path of the endpoint types in patch operations.
const ENDPOINT_PATH: &str = "/endpointConfiguration/types/";

/// Returns the address of the API. Its outputs are `id`, `root` (the id of the path `/`) and `host` (its domain).
pub fn address() -> Address {
    Address::new(NAME, "api")
}

struct Api {
    stack: Arc<Stack>,
    address: Address,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(Api { stack: stack.clone(), address: address() })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let path = |path| vec![arn(stack, path)];
    // The actions are HTTP methods. API Gateway assigns the identifiers.
    vec![
        Permission::new(&["apigateway:GET"], vec![arn(stack, "/restapis"), arn(stack, "/restapis/*")]),
        Permission::new(&["apigateway:POST"], path("/restapis")).only(Condition::Tagged),
        Permission::new(&["apigateway:PATCH", "apigateway:DELETE"], path("/restapis/*")).only(Condition::Ours),
        // The path of a tag contains the ARN of the tagged resource, but a call about it does not have that one's tags.
        Permission::new(&["apigateway:PUT"], path("/tags/*")).only(Condition::Tagged),
        Permission::new(&["apigateway:DELETE"], path("/tags/*")),
    ]
}

/// Exchanges the tags of the API or its stage.
pub(super) async fn exchange_gateway_tags(
    stack: &Stack,
    context: &ApplyContext<'_>,
    changes: &Changes,
    arn: &str,
) -> Result<(), ResourceError> {
    let gateway = &stack.clients.api_gateway;
    let remove = |keys| async {
        let call = gateway.untag_resource().resource_arn(arn).set_tag_keys(Some(keys));
        let untag = || async { call.clone().send().await.context("failed to remove tags of the API") };
        context.progress.with_quota_retry(untag).await.map(|_| ())
    };
    let put = async {
        let tags = context.tags.clone().into_iter().collect();
        let call = gateway.tag_resource().resource_arn(arn).set_tags(Some(tags));
        let tag = || async { call.clone().send().await.context("failed to tag the API") };
        context.progress.with_quota_retry(tag).await.map(|_| ())
    };
    exchange_tags(changes, remove, put).await
}

/// Returns an API Gateway ARN, which has no account.
pub(super) fn arn(stack: &Stack, path: &str) -> String {
    format!("arn:{}:apigateway:{}::{path}", stack.identity.partition, stack.clients.region)
}

/// Returns the name of the REST API.
pub fn name(stack: &Stack) -> String {
    stack.named("api")
}

/// The REST APIs with the stack's name.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The newest managed API, or an unmanaged one if none is managed.
    api: RestApi,
    ownership: Ownership,
    /// The ids of further managed APIs.
    surplus: Vec<String>,
}

/// Lists the REST APIs of the region.
pub(super) async fn list(clients: &Clients) -> Result<Vec<RestApi>, ResourceError> {
    let call = clients.api_gateway.get_rest_apis().limit(PAGE).into_paginator().items().send();
    call.collect::<Result<Vec<_>, _>>().await.context("failed to list the REST APIs")
}

async fn find(stack: &Stack) -> Result<Option<Found>, ResourceError> {
    let wanted = name(stack);
    let mut named: Vec<RestApi> =
        list(&stack.clients).await?.into_iter().filter(|api| api.name.as_ref() == Some(&wanted)).collect();
    named.sort_by_key(|api| (api.created_date.map_or(0, |date| date.secs()), api.id.clone()));
    rule!("api-newest-counts" => {
        named.reverse();
    });
    let (ours, others): (Vec<RestApi>, Vec<RestApi>) =
        named.into_iter().partition(|api| stack.ownership(&tags_of(api)) == Ownership::Ours);
    let mut ours = ours.into_iter();
    let Some(api) = ours.next().or_else(|| others.into_iter().next()) else { return Ok(None) };
    let ownership = stack.ownership(&tags_of(&api));
    Ok(Some(Found { ownership, api, surplus: ours.filter_map(|api| api.id).collect() }))
}

/// Returns the REST APIs with the stack's name as of the graph's shared read.
async fn found(stack: &Stack, reads: &SharedReads) -> Result<Option<Found>, ResourceError> {
    reads.get(NAME, find(stack)).await
}

/// Returns the id of the stack's API if it exists.
pub(super) async fn found_id(stack: &Stack, reads: &SharedReads) -> Result<Option<String>, ResourceError> {
    let found = found(stack, reads).await?.filter(|found| found.ownership == Ownership::Ours);
    Ok(found.and_then(|found| found.api.id))
}

fn tags_of(api: &RestApi) -> Tags {
    api.tags.clone().unwrap_or_default().into_iter().collect()
}

#[async_trait]
impl Resource for Api {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(name(&self.stack))
    }

    fn dependencies(&self) -> Vec<Address> {
        Vec::new()
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let Some(found) = found(&self.stack, reads).await? else { return Ok(None) };
        let Some(id) = found.api.id.clone() else { return Ok(None) };
        let root = found.api.root_resource_id.clone().unwrap_or_default();
        Ok(Some(Live {
            fields: live_fields(&found),
            ownership: found.ownership,
            tags: Some(tags_of(&found.api)),
            outputs: self.outputs(&id, &root),
            id,
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        Fields::new()
            .with(DESCRIPTION, self.stack.mark())
            .with(ENDPOINT, EndpointType::Regional.as_str())
            .with(ANSWERS, true)
            .with(BINARY_TYPES, json!([]))
            .with(SURPLUS, json!([]))
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        const SUMMARY: &str = "failed to create the REST API";
        let endpoint = EndpointConfiguration::builder().types(EndpointType::Regional).build();
        let tags = context.tags.clone().into_iter().collect();
        let call = self.stack.clients.api_gateway.create_rest_api().name(name(&self.stack));
        let call = call.description(self.stack.mark()).endpoint_configuration(endpoint).set_tags(Some(tags));
        let api = context.progress.with_quota_retry(|| async { call.clone().send().await.context(SUMMARY) }).await?;
        let id = api.id.ok_or_else(|| ResourceError::new("API Gateway returned a REST API without an id"))?;
        let root = match api.root_resource_id {
            Some(root) => root,
            None => self.root(context.progress, &id).await?,
        };
        Ok(self.outputs(&id, &root))
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        let patches = self.patches(live, changes);
        if !patches.is_empty() {
            let call = self.stack.clients.api_gateway.update_rest_api().rest_api_id(&live.id);
            let call = call.set_patch_operations(Some(patches));
            let change = || async { call.clone().send().await.context("failed to change the REST API") };
            context.progress.with_quota_retry(change).await?;
        }
        if rule!("api-duplicate-is-deleted", changes.has(SURPLUS)) {
            self.delete_surplus(context.progress, live).await?;
        }
        let arn = arn(&self.stack, &format!("/restapis/{}", live.id));
        exchange_gateway_tags(&self.stack, context, changes, &arn).await?;
        Ok(live.outputs.clone())
    }

    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        self.delete_surplus(progress, live).await?;
        self.delete_one(progress, &live.id).await
    }
}

impl Api {
    fn outputs(&self, id: &str, root: &str) -> OutputMap {
        let host = format!("{id}.execute-api.{}.{}", self.stack.clients.region, DNS_SUFFIX);
        OutputMap::new().with("id", id).with("root", root).with("host", host)
    }

    /// Reads the id of the path `/`, which the response to the creation may lack.
    async fn root(&self, progress: &Progress, id: &str) -> Result<String, ResourceError> {
        let call = self.stack.clients.api_gateway.get_resources().rest_api_id(id);
        let answer =
            progress.with_quota_retry(|| async { call.clone().send().await.context("failed to list the API's paths") });
        let root = answer.await?.items.unwrap_or_default().into_iter().find(|path| path.path.as_deref() == Some("/"));
        root.and_then(|root| root.id).ok_or_else(|| ResourceError::new("the REST API has no path `/`"))
    }

    fn patches(&self, live: &Live, changes: &Changes) -> Vec<PatchOperation> {
        let mut patches = Vec::new();
        if changes.has(DESCRIPTION) {
            patches.push(replace("/description", &self.stack.mark()));
        }
        if changes.has(ENDPOINT) {
            let old = match live.fields.field(ENDPOINT) {
                Some(LiveField::Known(value)) => value.as_str().unwrap_or_default(),
                _ => "",
            };
            patches.push(replace(&format!("{ENDPOINT_PATH}{old}"), EndpointType::Regional.as_str()));
        }
        if changes.has(ANSWERS) {
            patches.push(replace("/disableExecuteApiEndpoint", "false"));
        }
        if changes.has(BINARY_TYPES) {
            let types = live.fields.texts(BINARY_TYPES).into_iter();
            let path = |kind: String| format!("/binaryMediaTypes/{}", kind.replace('~', "~0").replace('/', "~1"));
            patches.extend(types.map(|kind| PatchOperation::builder().op(Op::Remove).path(path(kind)).build()));
        }
        patches
    }

    async fn delete_surplus(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        for id in live.fields.texts(SURPLUS) {
            self.delete_one(progress, &id).await?;
        }
        Ok(())
    }

    async fn delete_one(&self, progress: &Progress, id: &str) -> Result<(), ResourceError> {
        let call = self.stack.clients.api_gateway.delete_rest_api().rest_api_id(id);
        let delete = || async {
            let answer = call.clone().send().await;
            answer.found(rule!("api-delete-survives-absence", ABSENT), "failed to delete the REST API")
        };
        progress.with_quota_retry(delete).await.map(|_| ())
    }
}

fn live_fields(found: &Found) -> LiveFields {
    let api = &found.api;
    let endpoint = api.endpoint_configuration.as_ref().and_then(|endpoint| endpoint.types().first());
    LiveFields::new()
        .with(DESCRIPTION, api.description.as_deref())
        .with(ENDPOINT, endpoint.map(EndpointType::as_str))
        .with(ANSWERS, !api.disable_execute_api_endpoint)
        .with(BINARY_TYPES, api.binary_media_types())
        .with(SURPLUS, found.surplus.as_slice())
}

/// Returns a patch operation that replaces a setting.
pub(super) fn replace(path: &str, value: &str) -> PatchOperation {
    PatchOperation::builder().op(Op::Replace).path(path).value(value).build()
}
