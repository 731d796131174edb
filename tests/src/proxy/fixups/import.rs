//! PutRestApi, which MiniStack does not know, and moto only in part: the document is taken apart, and each path, method and
//! integration goes to the emulator by a call of its own.

use std::collections::HashMap;

use axum::http::{Method, Uri};
use serde_json::{Value, json};

use crate::proxy::Shared;
use crate::proxy::call::{Answer, Call};

/// Whether the emulators need help with this call.
pub(in crate::proxy) fn is_one(call: &Call) -> bool {
    call.is("apigateway", "PutRestApi")
}

/// Merges the document of the call into the API, and returns the API as AWS does.
pub(in crate::proxy) async fn put(proxy: &Shared, call: &Call) -> Answer {
    let api = call.uri.path().to_owned();
    let send = |method, path, body| single(proxy, call, method, path, body);
    let answer = send(Method::GET, format!("{api}/resources?limit=500"), Value::Null).await;
    if !answer.ok() {
        return answer;
    }
    let listed = answer.json().unwrap_or_default();
    let items = ["item", "_embedded"].iter().find_map(|name| listed.get(name)?.as_array().cloned());
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut ids: HashMap<String, String> =
        items.unwrap_or_default().iter().map(|item| (text(item, "path"), text(item, "id"))).collect();
    let paths = call.json("paths").unwrap_or_default();
    for (path, methods) in paths.as_object().into_iter().flatten() {
        let mut parent = "/".to_owned();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let own = format!("{}/{part}", parent.trim_end_matches('/'));
            if !ids.contains_key(&own) {
                let above = ids.get(&parent).cloned().unwrap_or_default();
                let answer = send(Method::POST, format!("{api}/resources/{above}"), json!({ "pathPart": part })).await;
                if !answer.ok() {
                    return answer;
                }
                ids.insert(own.clone(), text(&answer.json().unwrap_or_default(), "id"));
            }
            parent = own;
        }
        let id = ids.get(&parent).cloned().unwrap_or_default();
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let place = format!("{api}/resources/{id}/methods/{}", method.to_uppercase());
            send(Method::PUT, place.clone(), json!({ "authorizationType": "NONE" })).await;
            let integration = operation.get("x-amazon-apigateway-integration").cloned().unwrap_or_default();
            let body = json!({
                "type": text(&integration, "type").to_uppercase(),
                "httpMethod": text(&integration, "httpMethod"),
                "uri": text(&integration, "uri"),
            });
            let answer = send(Method::PUT, format!("{place}/integration"), body).await;
            if !answer.ok() {
                return answer;
            }
        }
    }
    send(Method::GET, api, Value::Null).await
}

/// Sends one of the calls of which the import consists.
async fn single(proxy: &Shared, call: &Call, method: Method, path: String, body: Value) -> Answer {
    let Ok(uri) = path.parse::<Uri>() else { return Answer::error(call, 400, "BadRequestException", &path) };
    let text = if method == Method::GET { String::new() } else { body.to_string() };
    let mut single = Call::new(method, uri, call.headers.clone(), call.body.clone());
    single.set_body(text);
    proxy.forward(&single).await
}
