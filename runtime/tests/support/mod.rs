//! A Parameter Store for the programs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use peersync_server::clock::Clock;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The parameters of a Parameter Store, by the last part of their names. A test can change them while a program runs.
pub type Parameters = Arc<Mutex<BTreeMap<String, String>>>;

/// Returns these parameters.
pub fn parameters<const N: usize>(content: [(&str, &str); N]) -> Parameters {
    Arc::new(Mutex::new(content.map(|(name, value)| (name.to_owned(), value.to_owned())).into()))
}

/// Serves a Parameter Store, all of whose parameters were written now, and returns its URL. `other` answers what is meant
/// for another service, by the name of the operation.
pub async fn serve(parameters: Parameters, other: fn(&str) -> Option<Value>) -> String {
    let answer = move |headers: HeaderMap, body: String| async move {
        if let Some(answer) = other(headers["x-amz-target"].to_str().unwrap()) {
            return Json(answer);
        }
        let request: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(request["WithDecryption"], true);
        let known = parameters.lock().unwrap().clone();
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for name in request["Names"].as_array().unwrap() {
            match known.get(name.as_str().unwrap().rsplit('/').next().unwrap()) {
                Some(value) => found.push(json!({
                    "Name": name, "Type": "SecureString", "Value": value, "LastModifiedDate": Clock::default().now(),
                })),
                None => missing.push(name),
            }
        }
        Json(json!({ "Parameters": found, "InvalidParameters": missing }))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(answer))).await });
    url
}
