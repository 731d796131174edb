//! One client per service, made once from the SDK's usual settings.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_s3::config::retry::{RetryPartition, TokenBucket};
use aws_smithy_http_client::tls;

use super::Context as _;
use super::too_many_requests::TooManyRequests;
use super::visible_retries::VisibleRetries;
use peersync_engine::ResourceError;

/// Attempts per call, the first included. At a fault rate of 10 % a run of 200 calls fails once in 5 million runs.
const ATTEMPTS: u32 = 10;
/// The longest delay between two attempts.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// Attempts of the very first call: whoever has mistyped an endpoint or is offline learns it within two seconds. At a
/// fault rate of 10 % it fails once in 100,000 runs.
const FIRST_ATTEMPTS: u32 = 5;
/// The longest delay between two of them.
const FIRST_BACKOFF: Duration = Duration::from_millis(600);
/// When a call is given up, all attempts together.
const CALL_DEADLINE: Duration = Duration::from_secs(120);
/// When one attempt is given up.
const ATTEMPT_DEADLINE: Duration = Duration::from_secs(30);

/// Who we are to AWS.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The account's twelve digits.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
}

/// How AWS is reached, beyond the SDK's own settings.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// From the command line or the configuration; otherwise the SDK's.
    pub region: Option<String>,
    /// An endpoint in place of AWS's; otherwise `AWS_ENDPOINT_URL` and the profile.
    pub endpoint_url: Option<String>,
    /// The endpoint checks no credentials (one of this computer): the usual ones of emulators and `us-east-1` are taken
    /// where nothing else is said.
    pub emulated: bool,
}

/// Why AWS could not be reached at all.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No region anywhere.
    #[error("no region is set")]
    NoRegion,
    /// The first call failed.
    #[error(transparent)]
    Call(#[from] ResourceError),
}

/// The clients of all services, cheap to clone.
#[derive(Clone, Debug)]
pub struct Clients {
    /// API Gateway, REST APIs.
    pub api_gateway: aws_sdk_apigateway::Client,
    /// CloudFront.
    pub cloudfront: aws_sdk_cloudfront::Client,
    /// CloudWatch: alarms and dashboards.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// CloudWatch Logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// EC2.
    pub ec2: aws_sdk_ec2::Client,
    /// IAM.
    pub iam: aws_sdk_iam::Client,
    /// Lambda.
    pub lambda: aws_sdk_lambda::Client,
    /// S3, with path-style names where the endpoint is not AWS's.
    pub s3: aws_sdk_s3::Client,
    /// Systems Manager: parameters.
    pub ssm: aws_sdk_ssm::Client,
    /// Security tokens: who we are.
    pub sts: aws_sdk_sts::Client,
    /// The region of all of them.
    pub region: String,
    /// The endpoint that stands for AWS, where one was given.
    pub endpoint_url: Option<String>,
    /// Whether it is an emulator of this computer, as `local` uses them: more lenient than AWS, and less whole.
    pub emulated: bool,
    /// Services that such an endpoint was found not to have, by the name that policies use, each with the reason. Empty
    /// where nobody looked, as in AWS.
    pub absent: BTreeMap<&'static str, String>,
}

impl Clients {
    /// Makes the clients. Calls nobody.
    ///
    /// # Errors
    /// [`ConnectError::NoRegion`] where neither the options nor the SDK's settings name a region.
    pub async fn connect(options: &ConnectOptions) -> Result<Self, ConnectError> {
        Ok(Self { emulated: options.emulated, ..Self::of(&load(options).await)? })
    }

    /// The clients for these settings. Calls nobody.
    ///
    /// # Errors
    /// [`ConnectError::NoRegion`] where the settings name none.
    pub fn of(sdk: &SdkConfig) -> Result<Self, ConnectError> {
        let region = sdk.region().ok_or(ConnectError::NoRegion)?.to_string();
        let endpoint_url = sdk.endpoint_url().map(str::to_owned);
        // The SDK stops trying again once a hundred retries are under way or were in vain, lest many clients together
        // keep a service down. Here is one, and each of its calls has its own limit of attempts and of time.
        let own_quota = RetryPartition::custom("peersync-deploy").token_bucket(TokenBucket::unlimited()).build();
        // Every service has types of its own, so a function cannot do it.
        macro_rules! client {
            ($service:ident $(, $setting:ident = $value:expr)?) => {
                $service::Client::from_conf(
                    $service::config::Builder::from(sdk)
                        $(.$setting($value))?
                        .interceptor(VisibleRetries)
                        .retry_partition(own_quota.clone())
                        .retry_classifier(TooManyRequests)
                        .build(),
                )
            };
        }
        Ok(Self {
            api_gateway: client!(aws_sdk_apigateway),
            cloudfront: client!(aws_sdk_cloudfront),
            cloudwatch: client!(aws_sdk_cloudwatch),
            logs: client!(aws_sdk_cloudwatchlogs),
            dynamodb: client!(aws_sdk_dynamodb),
            ec2: client!(aws_sdk_ec2),
            iam: client!(aws_sdk_iam),
            lambda: client!(aws_sdk_lambda),
            s3: client!(aws_sdk_s3, force_path_style = endpoint_url.is_some()),
            ssm: client!(aws_sdk_ssm),
            sts: client!(aws_sdk_sts),
            region,
            endpoint_url,
            emulated: false,
            absent: BTreeMap::new(),
        })
    }

    /// Asks AWS who we are.
    ///
    /// # Errors
    /// Missing, wrong or expired credentials; an endpoint that does not answer.
    pub async fn identity(&self) -> Result<Identity, ResourceError> {
        let soon = RetryConfig::standard().with_max_attempts(FIRST_ATTEMPTS).with_max_backoff(FIRST_BACKOFF);
        let call = self.sts.get_caller_identity().customize();
        let call = call.config_override(aws_sdk_sts::config::Config::builder().retry_config(soon));
        let answer = call.send().await.context("failed to ask AWS who we are")?;
        let arn = answer.arn().unwrap_or_default().to_owned();
        let partition = arn.split(':').nth(1).filter(|part| !part.is_empty()).unwrap_or("aws").to_owned();
        let account = answer
            .account()
            .ok_or_else(|| ResourceError::new("AWS did not say which account the credentials belong to"))?;
        Ok(Identity { account: account.to_owned(), arn, partition })
    }
}

async fn load(options: &ConnectOptions) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    let region = match (&options.region, options.emulated) {
        (Some(region), _) => Some(region.clone()),
        (None, true) if std::env::var_os("AWS_REGION").is_none() => Some("us-east-1".to_owned()),
        (None, _) => None,
    };
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS).with_max_backoff(LONGEST_BACKOFF))
        .timeout_config(
            TimeoutConfig::builder()
                .operation_timeout(CALL_DEADLINE)
                .operation_attempt_timeout(ATTEMPT_DEADLINE)
                .build(),
        );
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    }
    if options.emulated && !has_credentials() {
        loader = loader.credentials_provider(Credentials::new("test", "test", None, None, "emulator"));
    }
    if let Some(url) = &options.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    loader.load().await
}

/// Whether the environment names credentials; the shared files are not looked at, since an emulator needs none.
fn has_credentials() -> bool {
    ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"].iter().any(|name| std::env::var_os(name).is_some())
}
