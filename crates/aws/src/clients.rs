//! One client per service, created once from the SDK's usual settings.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_s3::config::retry::{RetryPartition, TokenBucket};

use super::Context as _;
use super::http::Http;
use super::pace::{Pacer, ReportRefusals, Turn, paced};
use super::passing_codes::PassingCodes;
use super::profile::Profile;
use super::services::for_each_service;
use super::too_many_requests::TooManyRequests;
use super::visible_retries::VisibleRetries;
use super::write_guard::WriteGuard;
use peersync_engine::{Failure, ResourceError, rule};

/// The maximum number of attempts per call, including the first. If 10 % of the attempts fail, one of 5 million runs of
/// 200 calls each fails.
const ATTEMPTS: u32 = 10;
/// The maximum delay between two attempts.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// The maximum number of attempts of the first call: fewer, so that a mistyped endpoint or a missing network is
/// reported within two seconds. If 10 % of the attempts fail, it fails in one of 100,000 runs.
const FIRST_ATTEMPTS: u32 = 5;
/// The maximum delay between two attempts of the first call.
const FIRST_BACKOFF: Duration = Duration::from_millis(600);
/// The environment variable with which requests keep to AWS's rates at an endpoint other than AWS, too, because AWS is
/// behind it. Emulators have no rates.
const PACED: &str = "PEERSYNC_PACED";
/// The timeout of a call, all attempts included.
const CALL_DEADLINE: Duration = Duration::from_secs(120);

/// The region whose credentials are accepted in every region that an account need not enable, and which none can disable.
const MAIN_REGION: &str = "us-east-1";
/// The error codes with which a region that an account has not enabled refuses all credentials.
const REFUSED: &[&str] = &["InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure"];

/// The caller's identity in AWS.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The account ID, twelve digits.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
    /// The partition of the account, `aws`.
    pub partition: String,
}

/// Settings of the connection to AWS that override the SDK's own.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// The region from the command line or the configuration; `None` for the SDK's.
    pub region: Option<String>,
    /// The URL of an endpoint other than AWS; `None` for that of `AWS_ENDPOINT_URL` or the profile, if any.
    pub endpoint_url: Option<String>,
    /// Whether the endpoint is a local emulator, which does not check credentials. Dummy credentials and `us-east-1`
    /// are then the defaults.
    pub emulated: bool,
}

/// An error before any resource is read.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Neither the options nor the SDK's settings name a region.
    #[error("no region is set")]
    NoRegion,
    /// The first call failed.
    #[error(transparent)]
    Call(#[from] ResourceError),
}

macro_rules! clients {
    ($($(#[$doc:meta])* $field:ident: $sdk:ident { $($rest:tt)* })*) => {
        /// The clients of all services, cheap to clone.
        #[derive(Clone, Debug)]
        pub struct Clients {
            $($(#[$doc])* pub $field: $sdk::Client,)*
            /// The region of all clients.
            pub region: String,
            /// The URL of the AWS emulator, if one was given.
            pub endpoint_url: Option<String>,
            /// Whether the endpoint is a local emulator, such as `local` uses: more lenient than AWS, and incomplete.
            pub emulated: bool,
            /// Services that the emulator lacks, by their prefix in IAM policies, each with the reason. Empty if the
            /// endpoint was not probed, as with AWS.
            pub absent: BTreeMap<&'static str, String>,
            /// How other servers are reached: through the same proxy, with the same certificates.
            pub http: Http,
            /// The profile that the credentials come from.
            profile: Profile,
            /// Refuses changes without a lease. New clients have none.
            pub write_guard: WriteGuard,
            /// The client that takes the lease.
            pub(crate) unguarded_ssm: aws_sdk_ssm::Client,
        }
    };
}
for_each_service!(clients);

impl Clients {
    /// Returns whether the error is that of an AWS emulator that lacks the service. AWS itself offers everything, so there
    /// the same answer is an error.
    pub fn lack(&self, error: &ResourceError) -> bool {
        error.failure == Failure::NotOffered && self.endpoint_url.is_some()
    }

    /// Creates the clients. Sends no request.
    ///
    /// # Errors
    /// [`ConnectError::NoRegion`] if neither the options nor the SDK's settings name a region; a proxy or a file of
    /// certificates that cannot be used.
    pub async fn connect(options: &ConnectOptions) -> Result<Self, ConnectError> {
        let profile = Profile::load().await;
        // An emulator gets credentials of its own, unless the environment names some.
        let profile = if options.emulated && !has_credentials() { profile.without_credentials() } else { profile };
        let http = Http::of(&profile)?;
        let sdk = load(options, &http).await?;
        let is_aws = sdk.endpoint_url().is_none() || std::env::var_os(PACED).is_some();
        let is_paced = is_aws && !options.emulated;
        Ok(Self { emulated: options.emulated, http, profile, ..Self::new(&sdk, is_paced)? })
    }

    /// Creates the clients for these settings, which send requests as fast as they come. Sends no request.
    ///
    /// # Errors
    /// [`ConnectError::NoRegion`] if the settings name no region.
    pub fn of(sdk: &SdkConfig) -> Result<Self, ConnectError> {
        Self::new(sdk, false)
    }

    fn new(sdk: &SdkConfig, is_paced: bool) -> Result<Self, ConnectError> {
        let region = sdk.region().ok_or(ConnectError::NoRegion)?.to_string();
        let endpoint_url = sdk.endpoint_url().map(str::to_owned);
        // By default the SDK stops retrying once its budget of about a hundred retries is spent, so that many clients
        // together do not keep a service down. This is a single client, and each call has its own limits.
        let bucket = rule!("retry-quota-is-unlimited", TokenBucket::unlimited());
        let own_quota = RetryPartition::custom("peersync-deploy").token_bucket(bucket).build();
        let write_guard = WriteGuard::default();
        let pacer = Pacer::default();
        let line = |service, turn| {
            let turn = if is_paced { turn } else { Turn::Free };
            sdk.http_client().map(|inner| paced(inner, &pacer, service, turn))
        };
        let refusals = |service| ReportRefusals { pacer: pacer.clone(), service };
        // Macros because each service has its own types.
        macro_rules! client {
            ($sdk:ident, $service:expr, $turn:expr, $($config:ident, $other_endpoint:ident, $configured:expr)?) => {{
                let config = $sdk::config::Builder::from(sdk).interceptor(VisibleRetries);
                let config = config.interceptor(refusals($service)).retry_partition(own_quota.clone());
                let mut config = config.retry_classifier(TooManyRequests).retry_classifier(PassingCodes);
                if let Some(line) = line($service, $turn.clone()) {
                    config.set_http_client(Some(line));
                }
                // Whatever waits its turn is also guarded.
                if let Turn::Waits(guard) = $turn {
                    config = config.interceptor(guard);
                }
                $(let config = {
                    let ($config, $other_endpoint) = (config, endpoint_url.is_some());
                    $configured
                };)?
                $sdk::Client::from_conf(config.build())
            }};
        }
        macro_rules! connected {
            ($(
                $(#[$doc:meta])*
                $field:ident: $sdk:ident {
                    prefix: $prefix:literal,
                    signing_name: $signing_name:literal,
                    keeps_resources: $keeps_resources:literal,
                    probe: $probe:tt,
                    $(config: { |$config:ident, $other_endpoint:ident| $configured:expr },)?
                }
            )*) => {
                Self {
                    $($field: client!(
                        $sdk,
                        $signing_name,
                        Turn::Waits(write_guard.clone()),
                        $($config, $other_endpoint, $configured)?
                    ),)*
                    unguarded_ssm: client!(aws_sdk_ssm, "ssm", Turn::AtOnce,),
                    region,
                    endpoint_url,
                    emulated: false,
                    absent: BTreeMap::new(),
                    http: Http::default(),
                    profile: Profile::default(),
                    write_guard,
                }
            };
        }
        Ok(for_each_service!(connected))
    }

    /// Returns the caller's identity.
    ///
    /// # Errors
    /// Missing, wrong or expired credentials; a region that the account has not enabled; an endpoint that does not respond.
    pub async fn identity(&self) -> Result<Identity, ResourceError> {
        self.profile.check()?;
        match self.identity_in(&self.region).await {
            Err(error) if error.is(REFUSED) && self.region != MAIN_REGION => {
                let elsewhere = self.identity_in(MAIN_REGION).await;
                Err(if elsewhere.is_ok() { self.not_enabled(error) } else { self.profile.explain(error) })
            }
            answer => answer.map_err(|error| self.profile.explain(error)),
        }
    }

    fn not_enabled(&self, error: ResourceError) -> ResourceError {
        let region = &self.region;
        let refusal = error.causes().join(": ");
        ResourceError::new("the region refuses credentials that other regions accept")
            .failure(Failure::Credentials)
            .code(error.code.as_deref())
            .caused_by(format!("{region} answers {refusal}"))
            .hint(format!(
                "the account has probably not enabled the region: run `aws account enable-region --region-name {region}`, or \
                 enable it in the AWS console under Account, AWS Regions, which takes some minutes; if it is enabled, the \
                 session token is one of the global endpoint of STS: set AWS_STS_REGIONAL_ENDPOINTS=regional for the program \
                 that gets it; or choose another region"
            ))
    }

    async fn identity_in(&self, region: &str) -> Result<Identity, ResourceError> {
        let attempts = rule!("first-call-is-repeated", FIRST_ATTEMPTS, without: 1);
        let soon = RetryConfig::standard().with_max_attempts(attempts).with_max_backoff(FIRST_BACKOFF);
        let call = self.sts.get_caller_identity().customize();
        let region = Region::new(region.to_owned());
        let call = call.config_override(aws_sdk_sts::config::Config::builder().retry_config(soon).region(region));
        let answer = call.send().await.context("failed to get the caller identity")?;
        let arn = answer.arn().unwrap_or_default().to_owned();
        let partition = arn.split(':').nth(1).filter(|part| !part.is_empty()).unwrap_or("aws").to_owned();
        let account =
            answer.account().ok_or_else(|| ResourceError::new("AWS did not return the account of the credentials"))?;
        Ok(Identity { account: account.to_owned(), arn, partition })
    }
}

async fn load(options: &ConnectOptions, http: &Http) -> Result<SdkConfig, ResourceError> {
    let region = match (&options.region, options.emulated) {
        (Some(region), _) => Some(region.clone()),
        (None, true) if std::env::var_os("AWS_REGION").is_none() => Some("us-east-1".to_owned()),
        (None, _) => None,
    };
    let attempts = rule!("failed-call-is-repeated", ATTEMPTS, without: 1);
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.of_sdk()?)
        .retry_config(RetryConfig::standard().with_max_attempts(attempts).with_max_backoff(LONGEST_BACKOFF))
        .timeout_config(TimeoutConfig::builder().operation_timeout(CALL_DEADLINE).build());
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    }
    if options.emulated && !has_credentials() {
        loader = loader.credentials_provider(Credentials::new("test", "test", None, None, "emulator"));
    }
    if let Some(url) = &options.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    Ok(loader.load().await)
}

/// Returns whether the environment names credentials. The shared files are not read, because an emulator needs none.
fn has_credentials() -> bool {
    ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"].iter().any(|name| std::env::var_os(name).is_some())
}
