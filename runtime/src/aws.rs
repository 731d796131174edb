//! How the programs reach AWS: settings from the environment, one HTTP client, short deadlines.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls;

/// When one attempt is given up: DynamoDB answers in milliseconds or not at all.
const ATTEMPT_DEADLINE: Duration = Duration::from_secs(2);
/// When a call is given up, all attempts together. The gateway gives a request up after 29 s, a function after 10 s.
const CALL_DEADLINE: Duration = Duration::from_secs(5);
/// Attempts per call, the first included.
const ATTEMPTS: u32 = 4;

/// Settings for a Lambda function: region and credentials are in its environment, and nothing else is asked.
pub async fn from_environment() -> SdkConfig {
    let region = std::env::var("AWS_REGION").or_else(|_| std::env::var("AWS_DEFAULT_REGION"));
    loader()
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .region(Region::new(region.unwrap_or_else(|_| "us-east-1".to_owned())))
        .load()
        .await
}

/// Settings for a host: the SDK's usual chain, the instance's role included.
pub async fn from_host() -> SdkConfig {
    loader().load().await
}

fn loader() -> ConfigLoader {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS).with_max_backoff(Duration::from_millis(500)))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(1))
                .operation_attempt_timeout(ATTEMPT_DEADLINE)
                .operation_timeout(CALL_DEADLINE)
                .build(),
        )
}

/// The code of an error, or what kept the call from being answered. It holds nothing of the request.
pub fn error_code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    if let Some(code) = error.code() {
        return code.to_owned();
    }
    match error {
        SdkError::ConstructionFailure(_) => "the request could not be made",
        SdkError::TimeoutError(_) => "no answer in time",
        SdkError::DispatchFailure(_) => "no connection",
        SdkError::ResponseError(_) => "an answer that is not understood",
        _ => "refused without a reason",
    }
    .to_owned()
}
