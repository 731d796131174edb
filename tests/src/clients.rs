//! The SDK clients with which the tests read and change an account.

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
pub use peersync_aws::Clients;

/// The region of the tests.
pub const REGION: &str = "eu-central-1";

/// Returns the clients of one account at an endpoint. They do not retry, so that a test sees every answer.
pub async fn of_account(endpoint: &str, account: &str) -> Clients {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new(REGION))
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::disabled())
        .credentials_provider(Credentials::new(account, "secret", None, None, "tests"));
    let clients = Clients::of(&loader.load().await).expect("a region is set");
    // The tests are somebody else, who takes no lease.
    clients.write_guard.open();
    clients
}
