//! The routes of the API: paths, methods and the functions that serve them. They are read with one call and created in
//! parallel, level by level.
//!
//! They have no tags and are deleted with their API.

mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_apigateway::types::{IntegrationType, Resource as Path};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use peersync_server::routes;
use serde_json::{Value, json};

pub use self::table::digest;
use self::table::{Route, ancestors, expected, parent, wanted};
use super::rest_api::{self, ABSENT, PAGE, QuotaRetry as _};
use super::{Kind, api_routes::table::describe};
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
/// The maximum number of concurrent calls; API Gateway allows bursts of 40.
const AT_ONCE: usize = 12;

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
    vec![
        Permission::new(&["apigateway:GET"], routes()),
        // For conditions, they have the tags of their API.
        Permission::new(&["apigateway:POST", "apigateway:PUT", "apigateway:DELETE"], routes()).only(Condition::Ours),
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

    /// Creates the routes for which `which` returns `true`, and the paths that they need.
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
        let ids = self.ensure_paths(context, api, &routes).await?;
        let calls: Vec<_> =
            routes.iter().map(|route| self.put_route(context, api, ids.get(route.path), route)).collect();
        stream::iter(calls).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        Ok(OutputMap::new())
    }

    /// Returns the ids of the paths, after creating the missing ones, parents first.
    async fn ensure_paths(
        &self,
        context: &ApplyContext<'_>,
        api: &str,
        routes: &[Route],
    ) -> Result<BTreeMap<String, String>, ResourceError> {
        let mut ids = self.path_ids(api).await?;
        let mut missing: Vec<&str> = routes.iter().flat_map(|route| ancestors(route.path)).collect();
        missing.sort_unstable();
        missing.dedup();
        missing.retain(|path| !ids.contains_key(*path));
        while !missing.is_empty() {
            let has_parent = |path: &str| ids.contains_key(parent(path));
            let (next, rest): (Vec<&str>, Vec<&str>) =
                missing.iter().partition(|path| rule!("api-parent-paths-first", has_parent(path), without: true));
            if next.is_empty() {
                return Err(ResourceError::new("the REST API has no path `/`"));
            }
            let calls: Vec<_> = next.into_iter().map(|path| self.create_path(context, api, &ids, path)).collect();
            let created: Vec<(String, String)> = stream::iter(calls).buffer_unordered(AT_ONCE).try_collect().await?;
            ids.extend(created);
            missing = rest;
        }
        Ok(ids)
    }

    async fn path_ids(&self, api: &str) -> Result<BTreeMap<String, String>, ResourceError> {
        let paths = self.read(api).await?.unwrap_or_default();
        Ok(paths.into_iter().filter_map(|path| Some((path.path?, path.id?))).collect())
    }

    async fn create_path(
        &self,
        context: &ApplyContext<'_>,
        api: &str,
        ids: &BTreeMap<String, String>,
        path: &str,
    ) -> Result<(String, String), ResourceError> {
        let (parent_id, part) = (ids.get(parent(path)), path.rsplit('/').next().unwrap_or_default());
        let call = self.stack.clients.api_gateway.create_resource().rest_api_id(api).set_parent_id(parent_id.cloned());
        let call = call.path_part(part);
        let create = || async { call.clone().send().await.context("failed to create a path of the API") };
        let id = match context.progress.with_quota_retry(create).await {
            Ok(answer) => answer.id,
            // An earlier attempt succeeded, but its response was lost.
            Err(error) if rule!("api-path-create-survives-lost-answer", exists(&error)) => {
                match self.path_ids(api).await?.remove(path) {
                    Some(id) => Some(id),
                    None => return Err(error),
                }
            }
            Err(error) => return Err(error),
        };
        let id = id.ok_or_else(|| ResourceError::new("API Gateway returned a path without an id"))?;
        Ok((path.to_owned(), id))
    }

    /// Creates a method and its integration. If the method already exists, it is re-created.
    async fn put_route(
        &self,
        context: &ApplyContext<'_>,
        api: &str,
        path: Option<&String>,
        route: &Route,
    ) -> Result<(), ResourceError> {
        let gateway = &self.stack.clients.api_gateway;
        let method = gateway.put_method().rest_api_id(api).set_resource_id(path.cloned()).http_method(route.method);
        let method = method.authorization_type("NONE").api_key_required(false);
        let put = || async { method.clone().send().await.context("failed to create a route of the API") };
        match context.progress.with_quota_retry(put).await {
            Err(error) if rule!("api-method-is-recreated", exists(&error)) => {
                self.delete_method(context.progress, api, path, route.method).await?;
                match context.progress.with_quota_retry(put).await {
                    // The method was deleted, so this one is from an earlier attempt whose response was lost.
                    Err(error) if rule!("api-method-create-survives-lost-answer", exists(&error)) => {}
                    result => result.map(|_| ())?,
                }
            }
            result => result.map(|_| ())?,
        }
        let integration = gateway.put_integration().rest_api_id(api).set_resource_id(path.cloned());
        let integration = integration.http_method(route.method).r#type(IntegrationType::AwsProxy);
        let integration = integration.integration_http_method("POST").uri(table::uri(&self.stack, route.function));
        let put = || async { integration.clone().send().await.context("failed to connect a route of the API") };
        context.progress.with_quota_retry(put).await.map(|_| ())
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

/// Returns whether a path or method was not created because it already exists.
fn exists(error: &ResourceError) -> bool {
    error.is(&["ConflictException"])
}
