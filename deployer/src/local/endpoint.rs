//! An AWS emulator on this computer, such as LocalStack or MiniStack. It is asked what it offers, and its claims are
//! tested.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;

use peersync_engine::error::innermost_cause;

use super::LocalError;
use peersync_aws::{Clients, Http, Service, probe};

/// Where LocalStack and its substitutes listen.
const USUAL: &str = "http://127.0.0.1:4566";
/// How long an emulator that was not named may take to answer; the search delays every start.
const SEARCH: Duration = Duration::from_millis(300);
/// How long an emulator that was named may take; LocalStack loads its parts with the first request.
const ASKED: Duration = Duration::from_secs(15);

/// An emulator that answers.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its URL, without a slash at the end.
    pub url: String,
    /// The services that it claims to offer; `None` if it does not tell.
    services: Option<BTreeSet<String>>,
}

#[derive(Deserialize)]
struct Health {
    services: BTreeMap<String, String>,
}

/// Returns the emulator that was named, or the one that answers at the usual URL.
///
/// # Errors
/// Fails if the one that was named does not answer or has no licence.
pub async fn find(named: Option<&str>) -> Result<Option<Endpoint>, LocalError> {
    match named {
        Some(url) => ask(url, ASKED).await.map(Some),
        None => Ok(ask(USUAL, SEARCH).await.ok()),
    }
}

async fn ask(url: &str, patience: Duration) -> Result<Endpoint, LocalError> {
    let url = url.trim_end_matches('/').to_owned();
    let away = |reason: String| LocalError::EndpointAway { url: url.clone(), reason };
    let client = Http::load().await.and_then(|http| http.direct(patience));
    let client = client.map_err(|error| LocalError::part("the HTTP client", error))?;
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
        // moto and others have no such page, but do answer.
        Err(_) if !status.is_server_error() => None,
        Err(_) => return Err(away(format!("the answer has HTTP status {status}"))),
    };
    Ok(Endpoint { url, services })
}

fn is_there(state: &str) -> bool {
    matches!(state, "available" | "running" | "initialized")
}

/// Returns whether a text is what LocalStack answers if its token is missing or does not cover a service.
pub fn mentions_licence(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("license activation failed") || text.contains("not included in your current license")
}

impl Endpoint {
    /// Returns the clients of the emulator, marked with what it really does not offer: it is asked, and its claims are
    /// tested.
    pub async fn probed(&self, mut clients: Clients) -> Clients {
        clients.absent = probe::absent(&clients, |service| self.says_it_has(service)).await;
        clients
    }

    fn says_it_has(&self, service: &Service) -> bool {
        let Some(services) = &self.services else { return true };
        services.contains(service.prefix) || services.contains(service.signing_name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic here fails the test")]
    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::get;

    use super::*;

    async fn answering(status: StatusCode, text: &'static str) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let app = Router::new().route("/_localstack/health", get(move || async move { (status, text) }));
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    #[tokio::test]
    async fn disabled_services_are_absent() {
        let url = answering(StatusCode::OK, r#"{"services": {"s3": "running", "lambda": "disabled"}}"#).await;
        let services = ask(&url, ASKED).await.unwrap().services.unwrap();
        assert_eq!(services, BTreeSet::from(["s3".to_owned()]));
    }

    #[tokio::test]
    async fn emulators_without_a_health_page_are_probed() {
        let url = answering(StatusCode::NOT_FOUND, "no such page").await;
        assert!(ask(&url, ASKED).await.unwrap().services.is_none());
    }

    #[tokio::test]
    async fn missing_licence_is_an_error_with_a_hint() {
        let text = r#"{"message": "License activation failed! Reason: no token"}"#;
        let error = ask(&answering(StatusCode::OK, text).await, ASKED).await.unwrap_err();
        assert!(matches!(error, LocalError::Licence { .. }), "{error}");
        assert!(miette::Diagnostic::help(&error).unwrap().to_string().contains("--embedded"));
    }

    #[tokio::test]
    async fn error_names_the_unreachable_endpoint() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = find(Some(&url)).await.unwrap_err().to_string();
        assert!(error.contains(&url) && error.contains("refused"), "{error}");
    }
}
