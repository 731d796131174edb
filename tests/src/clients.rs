//! The tests' own clients, by which they look at and meddle with an account.

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;

/// The region of the tests.
pub const REGION: &str = "eu-central-1";

/// A client of each service.
#[derive(Clone, Debug)]
pub struct Clients {
    /// API Gateway.
    pub api_gateway: aws_sdk_apigateway::Client,
    /// CloudFront.
    pub cloudfront: aws_sdk_cloudfront::Client,
    /// CloudWatch.
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
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// Systems Manager.
    pub ssm: aws_sdk_ssm::Client,
}

impl Clients {
    /// Clients of one account at an endpoint. They do not retry: a test sees what is answered.
    pub async fn new(endpoint: &str, account: &str) -> Self {
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new(REGION))
            .endpoint_url(endpoint)
            .retry_config(RetryConfig::disabled())
            .credentials_provider(Credentials::new(account, "secret", None, None, "tests"));
        let sdk: SdkConfig = loader.load().await;
        let s3 = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
        Self {
            api_gateway: aws_sdk_apigateway::Client::new(&sdk),
            cloudfront: aws_sdk_cloudfront::Client::new(&sdk),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&sdk),
            logs: aws_sdk_cloudwatchlogs::Client::new(&sdk),
            dynamodb: aws_sdk_dynamodb::Client::new(&sdk),
            ec2: aws_sdk_ec2::Client::new(&sdk),
            iam: aws_sdk_iam::Client::new(&sdk),
            lambda: aws_sdk_lambda::Client::new(&sdk),
            s3: aws_sdk_s3::Client::from_conf(s3),
            ssm: aws_sdk_ssm::Client::new(&sdk),
        }
    }
}
