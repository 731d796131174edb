//! The bootstrap as a process, against a fake Runtime API, Parameter Store and DynamoDB: it answers API Gateway's
//! events, reads its secrets once, and logs no personal data.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failure here is the test's failure"
)]

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Both the Runtime API (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>) and Parameter Store.
struct Lambda {
    events: tokio::sync::Mutex<mpsc::Receiver<Value>>,
    answers: mpsc::Sender<Value>,
    parameter_calls: Mutex<Vec<Value>>,
}

async fn next(State(lambda): State<Arc<Lambda>>) -> Response {
    match lambda.events.lock().await.recv().await {
        Some(event) => (
            [
                ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
                ("lambda-runtime-deadline-ms", "1900000000000"),
                ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:1:function:f"),
                ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"),
            ],
            Json(event),
        )
            .into_response(),
        None => std::future::pending().await,
    }
}

async fn answer(State(lambda): State<Arc<Lambda>>, Path(_): Path<String>, body: String) -> StatusCode {
    lambda.answers.send(serde_json::from_str(&body).unwrap()).await.unwrap();
    StatusCode::ACCEPTED
}

async fn parameters(State(lambda): State<Arc<Lambda>>, headers: HeaderMap, body: String) -> Response {
    assert_eq!(headers["x-amz-target"], "AmazonSSM.GetParameters");
    let body: Value = serde_json::from_str(&body).unwrap();
    let names = body["Names"].clone();
    lambda.parameter_calls.lock().unwrap().push(body);
    let found = json!([{ "Name": "/peersync/peersync-test/origin-key", "Value": "edge-key", "Type": "SecureString" }]);
    let missing: Vec<_> =
        names.as_array().unwrap().iter().filter(|name| !found.to_string().contains(name.as_str().unwrap())).collect();
    (
        [("content-type", "application/x-amz-json-1.1")],
        Json(json!({ "Parameters": found, "InvalidParameters": missing })),
    )
        .into_response()
}

/// A request as API Gateway's REST API forwards it.
fn event(method: &str, path: &str, body: Option<&str>) -> Value {
    json!({
        "resource": path, "path": path, "httpMethod": method,
        "headers": { "content-type": "application/json" },
        "multiValueHeaders": { "content-type": ["application/json"] },
        "queryStringParameters": null, "multiValueQueryStringParameters": null,
        "pathParameters": null, "stageVariables": null,
        "requestContext": {
            "accountId": "1", "resourceId": "r", "stage": "api", "requestId": "q", "identity": { "sourceIp": "192.0.2.1" },
            "resourcePath": path, "path": format!("/api{path}"), "httpMethod": method, "apiId": "a", "protocol": "HTTP/1.1",
        },
        "body": body, "isBase64Encoded": false,
    })
}

#[tokio::test]
async fn bootstrap_answers_events() {
    let (events, receiver) = mpsc::channel(8);
    let (sender, mut answers) = mpsc::channel(8);
    let lambda = Arc::new(Lambda {
        events: tokio::sync::Mutex::new(receiver),
        answers: sender,
        parameter_calls: Mutex::default(),
    });
    let app = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(answer))
        .route("/", post(parameters))
        .with_state(lambda.clone());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let here = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let database = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(dynoxide::server::serve_on(listener, dynoxide::Database::memory().unwrap()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_api"))
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", here.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "peersync-test-signup"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL_DYNAMODB", database.as_str()),
            ("AWS_ENDPOINT_URL_SSM", &format!("http://{here}")),
            ("PEERSYNC_STACK", "peersync-test"),
            ("PEERSYNC_FUNCTION", "signup"),
            ("SITE_URL", "https://call.example"),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    events.send(event("GET", "/health", None)).await.unwrap();
    let health = answers.recv().await.unwrap();
    assert_eq!(health["statusCode"], 200, "{health}");
    let body: Value = serde_json::from_str(health["body"].as_str().unwrap()).unwrap();
    assert_eq!((&body["status"], body["build"].as_str().map(str::len)), (&json!("ok"), Some(64)));
    assert!(lambda.parameter_calls.lock().unwrap().is_empty(), "health needs no secret");

    // The tables do not exist: the call fails, and the log must not reveal the caller.
    let body = r#"{"name":"Ada Lovelace","email":"ada@example.org"}"#;
    for _ in 0..2 {
        events.send(event("POST", "/signup", Some(body))).await.unwrap();
        let answer = answers.recv().await.unwrap();
        assert_eq!(answer["statusCode"], 503, "{answer}");
    }
    let calls = lambda.parameter_calls.lock().unwrap().clone();
    assert_eq!(calls.len(), 1, "secrets are read once");
    assert_eq!(
        (&calls[0]["Names"], &calls[0]["WithDecryption"]),
        (&json!(["/peersync/peersync-test/origin-key", "/peersync/peersync-test/origin-key-previous"]), &json!(true))
    );

    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answered = lines.iter().filter(|line| line["fields"]["message"] == "answered");
    let routes: Vec<_> =
        answered.map(|line| (line["span"]["route"].clone(), line["fields"]["status"].clone())).collect();
    assert_eq!(
        routes,
        [("/health".into(), json!(200)), ("/signup".into(), json!(503)), ("/signup".into(), json!(503))]
    );
    assert!(lines.iter().all(|line| line["span"]["request_id"].is_string() || line["span"].is_null()), "{log}");
    // The failures are counted, in lines that CloudWatch makes metrics of.
    let counted: Vec<_> = lines.iter().filter(|line| line["_aws"].is_object()).collect();
    assert_eq!(counted.len(), 2, "{log}");
    for line in counted {
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "PeerSync/peersync-test");
        assert_eq!(
            (&directive["Metrics"][0]["Name"], line["Errors"].as_f64()),
            (&json!("Errors"), Some(1.0)),
            "{line}"
        );
    }
    for personal in ["ada@", "Ada", "Lovelace", "192.0.2.1", "edge-key"] {
        assert!(!log.contains(personal), "{personal} in {log}");
    }
}
