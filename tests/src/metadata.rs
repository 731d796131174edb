//! The metadata service of an instance, version 2 only: it answers nothing without a session token. It returns
//! the id, the region and the credentials of a role.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, put};
use humantime::format_rfc3339_seconds;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// The session token that a client must send. Real ones are longer.
const TOKEN: &str = "a-token-of-this-instance";
/// The name of the role, as the service returns it.
const ROLE: &str = "the-role-of-the-host";
/// How long the credentials are valid.
const LIFE: Duration = Duration::from_secs(6 * 3600);

/// A running service, which stops when this is dropped.
#[derive(Debug)]
pub struct Metadata {
    /// The URL at which it listens, `http://127.0.0.1:PORT`.
    pub url: String,
    serving: AbortHandle,
}

impl Drop for Metadata {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Instance {
    id: String,
    account: String,
    region: String,
    user_data: Vec<u8>,
}

impl Metadata {
    /// Starts the service for an instance with this id, in this account and region. Emulators take the account as the access key.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start(id: &str, account: &str, region: &str) -> io::Result<Self> {
        Self::with_user_data(id, account, region, &[]).await
    }

    /// Starts the service for an instance that has this user data.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn with_user_data(id: &str, account: &str, region: &str, user_data: &[u8]) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let [id, account, region] = [id, account, region].map(str::to_owned);
        let instance = Instance { id, account, region, user_data: user_data.to_vec() };
        let router = Router::new()
            .route("/latest/api/token", put(|| async { ([("x-aws-ec2-metadata-token-ttl-seconds", "21600")], TOKEN) }))
            .route("/latest/meta-data/{*path}", get(answer))
            .route("/2009-04-04/meta-data/", get(index))
            .route("/2009-04-04/meta-data/{*path}", get(answer_to_cloud_init))
            .route("/2009-04-04/user-data", get(shown_user_data))
            .with_state(Arc::new(instance));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self { url, serving })
    }
}

/// The names below the data of the instance, of which cloud-init asks each.
async fn index() -> &'static str {
    "instance-id\nlocal-hostname"
}

/// Answers without a token: cloud-init asks for none where the firmware does not tell it that this is EC2.
async fn answer_to_cloud_init(State(instance): State<Arc<Instance>>, Path(path): Path<String>) -> impl IntoResponse {
    match path.as_str() {
        "instance-id" => (StatusCode::OK, instance.id.clone()),
        "local-hostname" => (StatusCode::OK, format!("{}.example.internal", instance.id)),
        _ => (StatusCode::NOT_FOUND, String::new()),
    }
}

async fn shown_user_data(State(instance): State<Arc<Instance>>) -> Vec<u8> {
    instance.user_data.clone()
}

async fn answer(
    State(instance): State<Arc<Instance>>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> impl IntoResponse {
    if headers.get("x-aws-ec2-metadata-token").is_none_or(|token| token != TOKEN) {
        return (StatusCode::UNAUTHORIZED, String::new());
    }
    let credentials = json!({
        "Code": "Success",
        "Type": "AWS-HMAC",
        "AccessKeyId": instance.account,
        "SecretAccessKey": "secret",
        "Token": "session",
        "LastUpdated": format_rfc3339_seconds(SystemTime::now()).to_string(),
        "Expiration": format_rfc3339_seconds(SystemTime::now() + LIFE).to_string(),
    });
    match path.trim_end_matches('/') {
        "instance-id" => (StatusCode::OK, instance.id.clone()),
        "placement/region" => (StatusCode::OK, instance.region.clone()),
        "placement/availability-zone" => (StatusCode::OK, format!("{}a", instance.region)),
        "iam/security-credentials" => (StatusCode::OK, ROLE.to_owned()),
        path if path.ends_with(ROLE) => (StatusCode::OK, credentials.to_string()),
        _ => (StatusCode::NOT_FOUND, String::new()),
    }
}
