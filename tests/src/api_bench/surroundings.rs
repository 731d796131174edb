//! The environment of a function, all in this process: the Runtime API
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>), Parameter Store, EmailJS, and DynamoDB with
//! people in it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use peersync_server::email_address::Email;
use peersync_server::settings::Tables;
use peersync_server::store::Store;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

use crate::clients;
use crate::unmanaged;

/// The stack whose function is measured.
pub const STACK: &str = "peersync-bench";

/// Everything around a function.
#[derive(Debug)]
pub struct Surroundings {
    /// Host and port of the Runtime API; Parameter Store and EmailJS listen there too.
    pub runtime_api: String,
    /// URL of DynamoDB.
    pub database: String,
    events: mpsc::Sender<Value>,
    answers: mpsc::Receiver<Value>,
}

struct Lambda {
    events: Mutex<mpsc::Receiver<Value>>,
    answers: mpsc::Sender<Value>,
}

impl Surroundings {
    /// Starts all of it, with `people` in the database.
    pub async fn start(people: usize) -> Self {
        let (events, receiver) = mpsc::channel(1);
        let (sender, answers) = mpsc::channel(1);
        let lambda = Arc::new(Lambda { events: Mutex::new(receiver), answers: sender });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(answer))
            .route("/emailjs", post(|| async { "OK" }))
            .route("/", post(parameters))
            .with_state(lambda);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let runtime_api = listener.local_addr().expect("it listens").to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { runtime_api, database: database(people).await, events, answers }
    }

    /// Passes an event to the function that polls next, and waits for its answer.
    pub async fn invoke(&mut self, event: Value) -> Value {
        self.events.send(event).await.expect("the Runtime API runs");
        self.answers.recv().await.expect("the Runtime API runs")
    }
}

async fn next(State(lambda): State<Arc<Lambda>>) -> Response {
    let Some(event) = lambda.events.lock().await.recv().await else { return std::future::pending().await };
    let headers = [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("lambda-runtime-deadline-ms", "4000000000000"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:1:function:f"),
        ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"),
    ];
    (headers, Json(event)).into_response()
}

async fn answer(State(lambda): State<Arc<Lambda>>, body: String) -> StatusCode {
    let answer = serde_json::from_str(&body).expect("the answer is JSON");
    lambda.answers.send(answer).await.expect("somebody waits for it");
    StatusCode::ACCEPTED
}

async fn parameters() -> Response {
    let prefix = format!("/peersync/{STACK}");
    let secret = |name: &str| json!({ "Name": format!("{prefix}/{name}"), "Value": "bench", "Type": "SecureString" });
    let found = json!({ "Parameters": [secret("origin-key"), secret("emailjs-private-key")], "InvalidParameters": [] });
    ([("content-type", "application/x-amz-json-1.1")], found.to_string()).into_response()
}

/// The address of a person in the database.
pub fn address(index: usize) -> String {
    format!("person{index}@example.org")
}

async fn database(people: usize) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("it listens"));
    let memory = dynoxide::Database::memory().expect("a database in memory");
    tokio::spawn(dynoxide::server::serve_on(listener, memory));
    let clients = clients::of_account(&endpoint, "test").await;
    let tables = Tables::of(STACK);
    unmanaged::table(&clients, &tables.users, "email").await;
    unmanaged::table(&clients, &tables.user_connections, "userEmail").await;
    unmanaged::table(&clients, &tables.ephemeral, "key").await;
    let store = Store::new(clients.dynamodb, tables);
    for index in 0..people {
        let email = Email::parse(&address(index)).expect("an address");
        store.create_user(&email, "Person", 1_800_000_000).await.expect("a person is put in");
    }
    endpoint
}
