//! The routes of the API: paths, methods and the functions that serve them. They are read with one call, and set with one,
//! as a document, because API Gateway takes ten calls a second.
//!
//! They have no tags and are deleted with their API.

mod one_by_one;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_apigateway::primitives::Blob;
use aws_sdk_apigateway::types::{PutMode, Resource as Path};
use peersync_server::routes;
use serde_json::{Value, json};

pub use self::table::digest;
use self::table::{Route, ancestors, describe, document, expected, wanted};
use super::Kind;
use super::rest_api::{self, ABSENT, PAGE, QuotaRetry as _};
use crate::permission::{Condition, Permission};
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{
    Address, ApplyContext, Changes, Field, FieldName, Fields, Live, LiveField, LiveFields, OutputMap, Outputs,
    Progress, Resource, ResourceError, SharedReads, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: None };
const NAME: &str = "api_routes";

/// Unmanaged methods. The other fields are the managed ones: one for each, named after it.
const OTHERS: FieldName = FieldName::new("others");

/// Returns the address of the routes.
pub fn address() -> Address {
    Address::new(NAME, "api")
}

struct Routes {
    stack: Arc<Stack>,
    address: Address,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(Routes { stack: stack.clone(), address: address() })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let routes =
        || ["/restapis/*/resources", "/restapis/*/resources/*"].map(|path| rest_api::arn(stack, path)).to_vec();
    // For conditions, they have the tags of their API. The document is put to the API itself.
    vec![
        Permission::new(&["apigateway:GET"], routes()),
        Permission::new(&["apigateway:PUT"], vec![rest_api::arn(stack, "/restapis/*")]).only(Condition::Ours),
        Permission::new(&["apigateway:DELETE"], routes()).only(Condition::Ours),
    ]
}

#[async_trait]
impl Resource for Routes {
    fn address(&self) -> &Address {
        &self.address
    }

    fn dependencies(&self) -> Vec<Address> {
        rule!("api-routes-after-rest-api", vec![rest_api::address()])
    }

    fn taggable(&self) -> bool {
        false
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let Some(id) = rest_api::found_id(&self.stack, reads).await? else { return Ok(None) };
        let Some(paths) = self.read(&id).await? else { return Ok(None) };
        let wanted = wanted(&self.stack);
        let mut fields = LiveFields::new();
        let mut others = Vec::new();
        for path in &paths {
            let name = path.path.as_deref().unwrap_or_default();
            for (method, settings) in path.resource_methods.iter().flatten() {
                match wanted.iter().find(|route| route.method == method && route.path == name) {
                    Some(route) => {
                        let value = describe(&self.stack, route, settings);
                        fields.insert(route.field(), LiveField::known(value));
                    }
                    None => others.push(format!("{method} {name}")),
                }
            }
        }
        others.sort();
        // An API without any managed route is treated as one whose routes have not been created.
        if fields.is_empty() {
            return Ok(None);
        }
        Ok(Some(Live { id, fields: fields.with(OTHERS, others), ..Live::default() }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        let routes = wanted(&self.stack).into_iter().map(|route| (route.field(), Field::known(expected(&route))));
        routes.collect::<Fields>().with(OTHERS, json!([]))
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        self.put(context, |_| true).await
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        if changes.has(OTHERS) {
            self.remove_others(context, live).await?;
        }
        self.put(context, |route| changes.has_named(&route.field())).await
    }

    /// Does nothing: the routes are deleted with their API.
    async fn delete(&self, _: &Progress, _: &Live) -> Result<(), ResourceError> {
        Ok(())
    }
}

impl Routes {
    async fn read(&self, id: &str) -> Result<Option<Vec<Path>>, ResourceError> {
        let call = self.stack.clients.api_gateway.get_resources().rest_api_id(id).embed("methods").limit(PAGE);
        let paths = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        paths.found(ABSENT, "failed to read the routes")
    }

    /// Creates or replaces the routes for which `which` returns `true`, and the paths that they need. What else the API has
    /// stays.
    async fn put(
        &self,
        context: &ApplyContext<'_>,
        which: impl Fn(&Route) -> bool,
    ) -> Result<OutputMap, ResourceError> {
        let api = context.outputs.require(&rest_api::address(), "id")?;
        let routes: Vec<Route> = wanted(&self.stack).into_iter().filter(|route| which(route)).collect();
        if routes.is_empty() {
            return Ok(OutputMap::new());
        }
        let call = self.stack.clients.api_gateway.put_rest_api().rest_api_id(api).mode(PutMode::Merge);
        let call = call.body(Blob::new(document(&self.stack, &routes).to_string()));
        let put = || async { call.clone().send().await.context("failed to set the routes of the API") };
        match context.progress.with_quota_retry(put).await {
            Err(error) if self.is_not_imported(&error) => self.put_one_by_one(context, api, &routes).await?,
            result => result.map(|_| ())?,
        }
        Ok(OutputMap::new())
    }

    /// Returns whether the endpoint is an emulator that does not know how to import a document.
    fn is_not_imported(&self, error: &ResourceError) -> bool {
        let clients = &self.stack.clients;
        clients.lack(error) || (clients.endpoint_url.is_some() && error.is(ABSENT))
    }

    async fn path_ids(&self, api: &str) -> Result<BTreeMap<String, String>, ResourceError> {
        let paths = self.read(api).await?.unwrap_or_default();
        Ok(paths.into_iter().filter_map(|path| Some((path.path?, path.id?))).collect())
    }

    async fn delete_method(
        &self,
        progress: &Progress,
        api: &str,
        path: Option<&String>,
        method: &str,
    ) -> Result<(), ResourceError> {
        let call = self.stack.clients.api_gateway.delete_method().rest_api_id(api).set_resource_id(path.cloned());
        let call = call.http_method(method);
        let delete = || async {
            let absent = rule!("api-method-delete-survives-absence", ABSENT);
            call.clone().send().await.found(absent, "failed to delete a route of the API")
        };
        progress.with_quota_retry(delete).await.map(|_| ())
    }

    /// Removes unmanaged methods, and paths that no managed route needs.
    async fn remove_others(&self, context: &ApplyContext<'_>, live: &Live) -> Result<(), ResourceError> {
        let Some(LiveField::Known(Value::Array(others))) = live.fields.field(OTHERS) else { return Ok(()) };
        let ids = self.path_ids(&live.id).await?;
        let needed: Vec<&str> =
            routes::paths(&self.stack.artifacts.routes).into_iter().flat_map(|(path, _)| ancestors(path)).collect();
        for (method, path) in others.iter().filter_map(Value::as_str).filter_map(|other| other.split_once(' ')) {
            if needed.contains(&path) || path == "/" {
                self.delete_method(context.progress, &live.id, ids.get(path), method).await?;
                continue;
            }
            let call = self.stack.clients.api_gateway.delete_resource().rest_api_id(&live.id);
            let call = call.set_resource_id(ids.get(path).cloned());
            let delete = || async {
                let absent = rule!("api-path-delete-survives-absence", ABSENT);
                call.clone().send().await.found(absent, "failed to delete a path of the API")
            };
            context.progress.with_quota_retry(delete).await?;
        }
        Ok(())
    }
}
