//! Plain HTTP.

use std::sync::Once;
use std::time::Duration;

use reqwest::redirect::Policy;

/// When a request of a test is given up; a cold function on a busy machine takes some seconds.
const DEADLINE: Duration = Duration::from_secs(60);

/// A client that follows no redirect and keeps what it is sent as it is.
pub fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Another part of the process may have chosen one before.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let builder = reqwest::Client::builder().redirect(Policy::none()).timeout(DEADLINE).no_proxy();
    builder.build().expect("an HTTP client can be made")
}
