//! An endpoint of this computer that stands for AWS: LocalStack, MiniStack. It is asked what it offers, and what it says
//! is tried.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;

use peersync_engine::error::innermost_cause;

use super::LocalError;
use peersync_aws::{Clients, probe};

/// Where LocalStack and those that take its place listen.
const USUAL: &str = "http://127.0.0.1:4566";
/// How long an endpoint that nobody named may take to answer: it would delay every start.
const SEARCH: Duration = Duration::from_millis(300);
/// How long an endpoint that was named may take; LocalStack loads its parts with the first request.
const ASKED: Duration = Duration::from_secs(15);

/// An endpoint that answers.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Where it is, without a slash at the end.
    pub url: String,
    /// The services that it says it has; `None` where it does not say.
    services: Option<BTreeSet<String>>,
}

#[derive(Deserialize)]
struct Health {
    services: BTreeMap<String, String>,
}

/// The endpoint that was named, or the one that answers at the usual place.
///
/// # Errors
/// The one that was named does not answer, or has no licence.
pub async fn find(named: Option<&str>) -> Result<Option<Endpoint>, LocalError> {
    match named {
        Some(url) => ask(url, ASKED).await.map(Some),
        None => Ok(ask(USUAL, SEARCH).await.ok()),
    }
}

async fn ask(url: &str, patience: Duration) -> Result<Endpoint, LocalError> {
    let url = url.trim_end_matches('/').to_owned();
    let away = |reason: String| LocalError::EndpointAway { url: url.clone(), reason };
    let client =
        reqwest::Client::builder().timeout(patience).no_proxy().build().map_err(|error| away(error.to_string()))?;
    let answer = client
        .get(format!("{url}/_localstack/health"))
        .send()
        .await
        .map_err(|error| away(innermost_cause(&error.without_url())))?;
    let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
    if mentions_licence(&text) {
        return Err(LocalError::Licence { url });
    }
    let services = match serde_json::from_str::<Health>(&text) {
        Ok(health) => {
            Some(health.services.into_iter().filter(|(_, state)| is_there(state)).map(|(name, _)| name).collect())
        }
        // moto and others have no such page, and answer all the same.
        Err(_) if !status.is_server_error() => None,
        Err(_) => return Err(away(format!("it answers with status {status}"))),
    };
    Ok(Endpoint { url, services })
}

fn is_there(state: &str) -> bool {
    matches!(state, "available" | "running" | "initialized")
}

/// What LocalStack says where its token is missing or does not cover a service.
pub fn mentions_licence(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("license activation failed") || text.contains("not included in your current license")
}

impl Endpoint {
    /// The clients of the endpoint, with what it really does not offer: it is asked, and what it says is tried.
    pub async fn probed(&self, mut clients: Clients) -> Clients {
        clients.absent = probe::absent(&clients, |service| self.says_it_has(service)).await;
        clients
    }

    fn says_it_has(&self, service: &str) -> bool {
        let Some(services) = &self.services else { return true };
        services.contains(service) || services.contains(other_name(service))
    }
}

/// Services that are called otherwise in policies than by their endpoints.
fn other_name(service: &str) -> &str {
    match service {
        "cloudwatch" => "monitoring",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::get;

    use super::*;

    async fn answering(status: StatusCode, text: &'static str) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let app = Router::new().route("/_localstack/health", get(move || async move { (status, text) }));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let _ = rustls::crypto::ring::default_provider().install_default();
        url
    }

    #[tokio::test]
    async fn what_is_disabled_is_not_there() {
        let url = answering(StatusCode::OK, r#"{"services": {"s3": "running", "lambda": "disabled"}}"#).await;
        let services = ask(&url, ASKED).await.unwrap().services.unwrap();
        assert_eq!(services, BTreeSet::from(["s3".to_owned()]));
    }

    #[tokio::test]
    async fn an_endpoint_without_the_page_is_only_tried() {
        let url = answering(StatusCode::NOT_FOUND, "no such page").await;
        assert!(ask(&url, ASKED).await.unwrap().services.is_none());
    }

    #[tokio::test]
    async fn a_missing_licence_is_said_with_the_mend() {
        let text = r#"{"message": "License activation failed! Reason: no token"}"#;
        let error = ask(&answering(StatusCode::OK, text).await, ASKED).await.unwrap_err();
        assert!(matches!(error, LocalError::Licence { .. }), "{error}");
        assert!(miette::Diagnostic::help(&error).unwrap().to_string().contains("--embedded"));
    }

    #[tokio::test]
    async fn an_endpoint_that_is_away_is_named() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let error = find(Some(&url)).await.unwrap_err().to_string();
        assert!(error.contains(&url) && error.contains("refused"), "{error}");
    }
}
