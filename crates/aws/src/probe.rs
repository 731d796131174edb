//! Finds out which services an endpoint really offers, by sending one harmless request to each, all at once.
//!
//! A listed service may not work: LocalStack lists DynamoDB even if it could not download the program behind it.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures::future::{BoxFuture, join_all};

use super::services::for_each_service;
use super::{Clients, SERVICES, Service};

/// The timeout after which a service counts as absent. LocalStack starts each service on its first request, which took
/// up to ten seconds on two busy cores.
const PATIENCE: Duration = Duration::from_secs(30);

/// A probe: a future that fails with the reason if the service is absent.
type Question<'a> = BoxFuture<'a, Result<(), String>>;

/// Returns the absent services by their prefix in IAM policies, each with the reason. Services that are not listed count
/// as absent without a request.
pub async fn absent(clients: &Clients, is_listed: impl Fn(&Service) -> bool) -> BTreeMap<&'static str, String> {
    let questions = SERVICES.iter().zip(questions(clients));
    let answers = questions.filter_map(|(service, question)| {
        let (question, is_listed) = (question?, is_listed(service));
        Some(async move {
            let answer = if is_listed { question.await } else { Err("the endpoint does not list it".to_owned()) };
            Some((service.prefix, answer.err()?))
        })
    });
    join_all(answers).await.into_iter().flatten().collect()
}

/// Sends one request to one service, without retries: with the SDK's retries every start would take too long.
macro_rules! ask {
    ($sdk:ident, $client:expr, none) => {
        None
    };
    ($sdk:ident, $client:expr, { |$name:ident| $call:expr }) => {
        Some(Box::pin(async move {
            let once = $sdk::config::Builder::new().retry_config(RetryConfig::disabled()).timeout_config(patience());
            let $name = $client;
            match $call.customize().config_override(once).send().await {
                Ok(_) => Ok(()),
                Err(error) => refusal(&error),
            }
        }))
    };
}

/// Returns the probe of each service, in the order of [`SERVICES`].
fn questions(clients: &Clients) -> Vec<Option<Question<'_>>> {
    macro_rules! questions {
        ($(
            $(#[$doc:meta])*
            $field:ident: $sdk:ident {
                prefix: $prefix:literal,
                signing_name: $signing_name:literal,
                keeps_resources: $keeps_resources:literal,
                probe: $probe:tt,
                $(config: $config:tt,)?
            }
        )*) => { vec![$(ask!($sdk, &clients.$field, $probe)),*] };
    }
    for_each_service!(questions)
}

fn patience() -> TimeoutConfig {
    TimeoutConfig::builder().operation_timeout(PATIENCE).operation_attempt_timeout(PATIENCE).build()
}

/// Returns the reason if an error means that the service is absent. A service that rejects the request (4xx) works.
fn refusal<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Result<(), String> {
    match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let unknown_path = matches!(status, 404 | 405) && service.err().code().is_none();
            if status < 500 && !unknown_path {
                return Ok(());
            }
            Err(service.err().message().map_or_else(|| format!("status {status}"), first_sentence))
        }
        SdkError::TimeoutError(_) => Err(format!("no response within {} s", PATIENCE.as_secs())),
        SdkError::ResponseError(_) => Err("the response is not one of AWS".to_owned()),
        _ => Err("the connection failed".to_owned()),
    }
}

/// Shortens LocalStack's messages: that of a failed connection repeats the text of each attempt.
fn first_sentence(message: &str) -> String {
    const LONGEST: usize = 120;
    let message = message.split([';', '\n', '(']).next().unwrap_or_default().trim();
    if message.chars().count() <= LONGEST {
        return message.to_owned();
    }
    message.chars().take(LONGEST).chain("…".chars()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use axum::Router;
    use axum::http::{HeaderMap, StatusCode};

    use super::*;
    use crate::ConnectOptions;

    /// Emulates an endpoint whose DynamoDB fails, whose SSM denies access, and that has no other service.
    async fn answer(headers: HeaderMap) -> (StatusCode, &'static str) {
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        match target.split('.').next() {
            Some("DynamoDB_20120810") => {
                (StatusCode::INTERNAL_SERVER_ERROR, r#"{"__type":"InternalError","message":"no jar; and more"}"#)
            }
            Some("AmazonSSM") => (StatusCode::BAD_REQUEST, r#"{"__type":"AccessDeniedException","message":"no"}"#),
            _ => (StatusCode::NOT_IMPLEMENTED, ""),
        }
    }

    #[tokio::test]
    async fn failing_service_is_absent_and_denying_service_is_present() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint_url = Some(format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        let options = ConnectOptions { region: Some("eu-central-1".to_owned()), endpoint_url, emulated: true };
        let clients = Clients::connect(&options).await.unwrap();
        let absent = absent(&clients, |service| service.prefix != "s3").await;
        assert_eq!(absent.get("dynamodb").map(String::as_str), Some("no jar"));
        assert_eq!(absent.get("cloudfront").map(String::as_str), Some("status 501"));
        assert_eq!(absent.get("s3").map(String::as_str), Some("the endpoint does not list it"));
        let probed =
            SERVICES.iter().zip(questions(&clients)).filter_map(|(service, question)| question.map(|_| service));
        let others = probed.filter(|service| service.prefix != "ssm").count();
        assert_eq!((absent.len(), others), (10, 10), "all but Systems Manager: {absent:?}");
    }

    /// The resources of a service that an emulator lacks are left out, which the probe has to find out.
    #[tokio::test]
    async fn every_service_that_keeps_resources_is_probed() {
        let options = ConnectOptions { region: Some("eu-central-1".to_owned()), emulated: true, ..Default::default() };
        let clients = Clients::connect(&options).await.unwrap();
        for (service, question) in SERVICES.iter().zip(questions(&clients)) {
            assert_eq!(service.keeps_resources, question.is_some(), "{}", service.prefix);
        }
    }
}
