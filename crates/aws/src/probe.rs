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

use super::Clients;

/// The timeout after which a service counts as absent. LocalStack starts each service on its first request, which took
/// up to ten seconds on two busy cores.
const PATIENCE: Duration = Duration::from_secs(30);

/// A probe: the name of the service in IAM policies, and a future that fails with the reason if the service is absent.
type Question<'a> = (&'static str, BoxFuture<'a, Result<(), String>>);

/// Returns the absent services, each with the reason. Services that are not listed count as absent without a request.
pub async fn absent(clients: &Clients, is_listed: impl Fn(&str) -> bool) -> BTreeMap<&'static str, String> {
    let answers = questions(clients).into_iter().map(|(service, question)| {
        let is_listed = is_listed(service);
        async move {
            let answer = if is_listed { question.await } else { Err("the endpoint does not list it".to_owned()) };
            Some((service, answer.err()?))
        }
    });
    join_all(answers).await.into_iter().flatten().collect()
}

/// Sends one request to one service, without retries: with the SDK's retries every start would take too long.
macro_rules! ask {
    ($service:ident, $call:expr) => {
        Box::pin(async move {
            let once =
                $service::config::Builder::new().retry_config(RetryConfig::disabled()).timeout_config(patience());
            match $call.customize().config_override(once).send().await {
                Ok(_) => Ok(()),
                Err(error) => refusal(&error),
            }
        })
    };
}

fn questions(clients: &Clients) -> Vec<Question<'_>> {
    vec![
        ("apigateway", ask!(aws_sdk_apigateway, clients.api_gateway.get_rest_apis().limit(1))),
        ("cloudfront", ask!(aws_sdk_cloudfront, clients.cloudfront.list_distributions().max_items(1))),
        ("cloudwatch", ask!(aws_sdk_cloudwatch, clients.cloudwatch.describe_alarms().max_records(1))),
        ("dynamodb", ask!(aws_sdk_dynamodb, clients.dynamodb.list_tables().limit(1))),
        ("ec2", ask!(aws_sdk_ec2, clients.ec2.describe_security_groups())),
        ("iam", ask!(aws_sdk_iam, clients.iam.list_roles().max_items(1))),
        ("lambda", ask!(aws_sdk_lambda, clients.lambda.list_functions().max_items(1))),
        ("logs", ask!(aws_sdk_cloudwatchlogs, clients.logs.describe_log_groups().limit(1))),
        ("s3", ask!(aws_sdk_s3, clients.s3.list_buckets())),
        ("ssm", ask!(aws_sdk_ssm, clients.ssm.describe_parameters().max_results(1))),
    ]
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
        let absent = absent(&clients, |service| service != "s3").await;
        assert_eq!(absent.get("dynamodb").map(String::as_str), Some("no jar"));
        assert_eq!(absent.get("cloudfront").map(String::as_str), Some("status 501"));
        assert_eq!(absent.get("s3").map(String::as_str), Some("the endpoint does not list it"));
        assert_eq!(absent.len(), 9, "all but Systems Manager: {absent:?}");
    }
}
