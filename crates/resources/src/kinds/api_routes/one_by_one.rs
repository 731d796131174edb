//! The routes at an emulator that cannot import them: each path, method and integration by a call of its own.

use std::collections::BTreeMap;

use aws_sdk_apigateway::types::IntegrationType;

use super::Routes;
use super::table::{Route, ancestors, parent, uri};
use crate::kinds::rest_api::QuotaRetry as _;
use peersync_aws::Context as _;
use peersync_engine::{ApplyContext, ResourceError};

impl Routes {
    /// Creates or replaces these routes, and the paths that they need.
    pub(super) async fn put_one_by_one(
        &self,
        context: &ApplyContext<'_>,
        api: &str,
        routes: &[Route],
    ) -> Result<(), ResourceError> {
        let mut ids = self.path_ids(api).await?;
        for route in routes {
            for path in ancestors(route.path) {
                if !ids.contains_key(path) {
                    let id = self.create_path(context, api, &ids, path).await?;
                    ids.insert(path.to_owned(), id);
                }
            }
            self.put_route(context, api, ids.get(route.path), route).await?;
        }
        Ok(())
    }

    async fn create_path(
        &self,
        context: &ApplyContext<'_>,
        api: &str,
        ids: &BTreeMap<String, String>,
        path: &str,
    ) -> Result<String, ResourceError> {
        let (parent_id, part) = (ids.get(parent(path)), path.rsplit('/').next().unwrap_or_default());
        let call = self.stack.clients.api_gateway.create_resource().rest_api_id(api).set_parent_id(parent_id.cloned());
        let call = call.path_part(part);
        let create = || async { call.clone().send().await.context("failed to create a path of the API") };
        let id = context.progress.with_quota_retry(create).await?.id;
        id.ok_or_else(|| ResourceError::new("API Gateway returned a path without an id"))
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
            Err(error) if error.is(&["ConflictException"]) => {
                self.delete_method(context.progress, api, path, route.method).await?;
                context.progress.with_quota_retry(put).await?;
            }
            result => result.map(|_| ())?,
        }
        let integration = gateway.put_integration().rest_api_id(api).set_resource_id(path.cloned());
        let integration = integration.http_method(route.method).r#type(IntegrationType::AwsProxy);
        let integration = integration.integration_http_method("POST").uri(uri(&self.stack, route.function));
        let put = || async { integration.clone().send().await.context("failed to connect a route of the API") };
        context.progress.with_quota_retry(put).await.map(|_| ())
    }
}
