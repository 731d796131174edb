//! Router, OpenAPI document and the table of routes agree.

use std::collections::BTreeSet;
use std::path::Path;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use peersync_api::{document, document_json, routes};

use crate::support::World;

fn table() -> BTreeSet<(String, String)> {
    routes().iter().map(|route| (route.method.to_owned(), route.path.clone())).collect()
}

fn documented() -> BTreeSet<(String, String)> {
    let document = serde_json::to_value(document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let methods = |(path, item): (&String, &serde_json::Value)| {
        item.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(methods).collect()
}

#[test]
fn document_has_exactly_the_deployed_routes() {
    assert_eq!(documented(), table());
}

#[tokio::test]
async fn router_answers_exactly_the_deployed_routes() {
    let world = World::new().await;
    let paths: BTreeSet<&str> = routes().iter().map(|route| route.path.as_str()).collect();
    for path in paths {
        for method in ["GET", "POST", "PATCH", "DELETE", "PUT"] {
            let uri = path.replace("{email}", "a@example.org").replace("{id}", "x");
            let request = Request::builder().method(method).uri(&uri).body(Body::empty()).unwrap();
            let answer = world.browser().send(request).await;
            let code = answer.body["error"]["code"].as_str().unwrap_or_default().to_owned();
            let deployed = table().contains(&(method.to_owned(), path.to_owned()));
            assert_ne!(code, "not_found", "{method} {path}");
            assert_eq!(answer.status != StatusCode::METHOD_NOT_ALLOWED, deployed, "{method} {path}");
        }
    }
}

/// Run with `PEERSYNC_WRITE=1` to update the published document.
#[test]
fn published_document_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/openapi.json");
    let document = document_json().unwrap();
    if std::env::var_os("PEERSYNC_WRITE").is_some() {
        std::fs::write(&file, &document).unwrap();
    }
    let published = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(published == document, "assets/openapi.json is out of date; run this test with PEERSYNC_WRITE=1");
}

#[test]
fn every_operation_has_its_own_id() {
    let document = serde_json::to_value(document()).unwrap().to_string();
    let ids: Vec<_> =
        document.split("\"operationId\":\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), routes().len(), "{ids:?}");
}

#[test]
fn document_is_openapi_3_1_and_every_referenced_schema_exists() {
    let document = serde_json::to_value(document()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
}
