//! Plain HTTP.

use std::sync::Once;
use std::time::Duration;

use reqwest::redirect::Policy;

/// The deadline for a request of a test; a cold function on a busy machine takes some seconds.
const DEADLINE: Duration = Duration::from_secs(60);

/// Returns a client that follows no redirects and returns answers unchanged.
pub fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Another part of the process may already have installed a provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let builder = reqwest::Client::builder().redirect(Policy::none()).timeout(DEADLINE).no_proxy();
    builder.build().expect("an HTTP client can be created")
}
