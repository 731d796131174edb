//! The desired routes of the gateway: those of the API, and `OPTIONS` on every path.

use aws_sdk_apigateway::types::{IntegrationType, Method};
use peersync_server::routes::paths;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::kinds::rest_api;
use crate::stack::Stack;

/// The method of CORS preflight requests; the function of the path answers it too.
const PREFLIGHT: &str = "OPTIONS";
/// The number of hexadecimal digits of the digest: 64 bits.
const DIGEST_WIDTH: usize = 16;

/// A method on a path, and the function that serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) function: &'static str,
}

impl Route {
    /// Returns the name of the route's field, such as `POST /signup`.
    pub(super) fn field(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// Returns all desired routes of the gateway.
pub(super) fn wanted(stack: &Stack) -> Vec<Route> {
    let routes: &'static [_] = &stack.artifacts.routes;
    let own = routes.iter().map(|route| Route { method: route.method, path: &route.path, function: route.function });
    let preflight = paths(routes).into_iter().map(|(path, function)| Route { method: PREFLIGHT, path, function });
    own.chain(preflight).collect()
}

/// Returns a hash of all desired routes. It is stored in the description of the deployment that publishes them.
pub fn digest(stack: &Stack) -> String {
    let mut routes: Vec<String> =
        wanted(stack).iter().map(|route| format!("{} {}\n", route.field(), uri(stack, route.function))).collect();
    routes.sort();
    let mut digest = hex::encode(Sha256::digest(routes.concat()));
    digest.truncate(DIGEST_WIDTH);
    digest
}

/// Returns the URI with which the gateway calls a function.
pub(super) fn uri(stack: &Stack, function: &str) -> String {
    let function = stack.arn("lambda", &format!("function:{}", stack.named(function)));
    let (partition, region) = (&stack.identity.partition, &stack.clients.region);
    format!("arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{function}/invocations")
}

/// Returns these routes as an OpenAPI document for API Gateway to import, in the form that AWS SAM gives it. Whatever it
/// says of the API itself is as it is.
pub(super) fn document(stack: &Stack, routes: &[Route]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let integration = json!({ "type": "aws_proxy", "httpMethod": "POST", "uri": uri(stack, route.function) });
        let method = json!({
            "responses": {},
            "x-amazon-apigateway-auth": { "type": "NONE" },
            "x-amazon-apigateway-integration": integration,
        });
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path.as_object_mut().and_then(|path| path.insert(route.method.to_lowercase(), method));
    }
    let info = json!({ "title": rest_api::name(stack), "description": stack.mark(), "version": "1" });
    json!({ "openapi": "3.0.1", "info": info, "paths": paths })
}

/// Returns the desired value of a route's field: the name of the function.
pub(super) fn expected(route: &Route) -> &'static str {
    route.function
}

/// Returns the actual value of a route's field: the name of the function, or a description of what differs.
pub(super) fn describe(stack: &Stack, route: &Route, method: &Method) -> String {
    let authorization = method.authorization_type.as_deref().unwrap_or("NONE");
    let key = method.api_key_required.unwrap_or(false);
    let Some(integration) = &method.method_integration else { return "nothing".to_owned() };
    let proxied = integration.r#type == Some(IntegrationType::AwsProxy);
    let target = integration.uri.as_deref().unwrap_or_default();
    if proxied && authorization == "NONE" && !key && target == uri(stack, route.function) {
        return expected(route).to_owned();
    }
    let kind = integration.r#type.as_ref().map_or("", IntegrationType::as_str);
    let key = if key { ", with an API key" } else { "" };
    format!("{kind} {target}, authorization {authorization}{key}")
}

/// Returns a path with all paths above it, except `/`: `/friends`, `/friends/{email}`.
pub(super) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.char_indices().skip(1).filter(|(_, character)| *character == '/').map(|(index, _)| index);
    ends.chain([path.len()]).filter_map(|end| path.get(..end)).filter(|path| *path != "/" && !path.is_empty())
}

/// Returns the path above: `/` for `/friends`.
pub(super) fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_path_has_a_preflight_on_the_same_function() {
        let stack = Stack::for_tests(peersync_config::Config::default()).await;
        let (wanted, routes) = (wanted(&stack), &stack.artifacts.routes);
        assert_eq!(wanted.len(), routes.len() + paths(routes).len());
        for route in &wanted {
            let preflight = wanted.iter().find(|other| other.path == route.path && other.method == PREFLIGHT);
            assert_eq!(preflight.map(|preflight| preflight.function), Some(route.function), "{}", route.path);
        }
    }

    #[tokio::test]
    async fn document_has_every_route_with_its_function() {
        let stack = Stack::for_tests(peersync_config::Config::default()).await;
        let wanted = wanted(&stack);
        let document = document(&stack, &wanted);
        let paths = document.get("paths").and_then(Value::as_object).expect("the document has paths");
        let methods: usize = paths.values().filter_map(Value::as_object).map(Map::len).sum();
        assert_eq!(methods, wanted.len());
        for route in wanted {
            let method = paths.get(route.path).and_then(|path| path.get(route.method.to_lowercase()));
            let target = method.and_then(|method| method.pointer("/x-amazon-apigateway-integration/uri"));
            assert_eq!(target, Some(&json!(uri(&stack, route.function))), "{}", route.field());
        }
        assert_eq!(document.pointer("/info/title"), Some(&json!(rest_api::name(&stack))), "importing renames nothing");
        assert_eq!(document.pointer("/info/description"), Some(&json!(stack.mark())));
    }

    #[test]
    fn ancestors_include_every_parent_path() {
        assert_eq!(ancestors("/friends/{email}").collect::<Vec<_>>(), ["/friends", "/friends/{email}"]);
        assert_eq!(ancestors("/me").collect::<Vec<_>>(), ["/me"]);
        assert_eq!(ancestors("/").count(), 0);
        assert_eq!(parent("/friends/{email}"), "/friends");
        assert_eq!(parent("/me"), "/");
    }
}
