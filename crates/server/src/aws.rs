//! SDK configurations for the programs: settings from the environment, one HTTP client, short timeouts.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{SharedCredentialsProvider, SharedHttpClient};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// The timeout of one attempt: DynamoDB answers in milliseconds or not at all.
const ATTEMPT_DEADLINE: Duration = Duration::from_secs(2);
/// The timeout of a call with all its attempts. The gateway's timeout is 29 s, that of a function 10 s.
const CALL_DEADLINE: Duration = Duration::from_secs(5);
/// The number of attempts per call, including the first.
const ATTEMPTS: u32 = 4;

/// What [`error_code`] returns if the service could not be reached.
pub const NO_CONNECTION: &str = "no connection";

/// Returns the configuration of a Lambda function: region and credentials are in its environment, no other source is
/// tried.
///
/// It is built by hand: the SDK's loader would link its whole credential chain (three more clients) into a program
/// whose size adds to each cold start.
pub fn from_environment() -> SdkConfig {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    let mut builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .region(Region::new(region.unwrap_or_else(|| "us-east-1".to_owned())))
        .http_client(http_client())
        .retry_config(retries())
        .timeout_config(deadlines())
        .service_config(EnvironmentEndpoints);
    builder.set_endpoint_url(variable("AWS_ENDPOINT_URL"));
    builder.build()
}

/// Reads `AWS_ENDPOINT_URL_{SERVICE}` from the environment as the SDK's loader does
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>).
#[derive(Debug)]
struct EnvironmentEndpoints;

impl LoadServiceConfig for EnvironmentEndpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace([' ', '-'], "_");
        std::env::var(format!("{}_{service}", key.env())).ok().filter(|value| !value.is_empty())
    }
}

/// Returns the configuration of a host: the SDK's default credential chain, including the instance's role.
pub async fn from_host() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        .retry_config(retries())
        .timeout_config(deadlines())
        .load()
        .await
}

fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https()
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS).with_max_backoff(Duration::from_millis(500))
}

fn deadlines() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(ATTEMPT_DEADLINE)
        .operation_timeout(CALL_DEADLINE)
        .build()
}

/// Returns the code of an error, or why the call got no response. It contains no data of the request.
pub fn error_code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    if let Some(code) = error.code() {
        return code.to_owned();
    }
    match error {
        SdkError::ConstructionFailure(_) => "the request could not be built",
        SdkError::TimeoutError(_) => "timed out",
        SdkError::DispatchFailure(_) => NO_CONNECTION,
        SdkError::ResponseError(_) => "unreadable response",
        _ => "error without a code",
    }
    .to_owned()
}
