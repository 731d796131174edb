//! The form of the options that say where to call AWS. Variables of the environment are held to the same.

use axum::http::Uri;
use peersync_config::is_region;

/// Checks the name of a region.
///
/// # Errors
/// Says what to write.
pub fn region(text: &str) -> Result<String, String> {
    if is_region(text) {
        Ok(text.to_owned())
    } else {
        Err("write the name of a region, such as eu-central-1".to_owned())
    }
}

/// Checks the URL of an endpoint.
///
/// # Errors
/// Says what to write.
pub fn endpoint_url(text: &str) -> Result<String, String> {
    let has_form = |url: &Uri| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty())
    };
    match text.parse::<Uri>() {
        Ok(url) if has_form(&url) => Ok(text.to_owned()),
        _ => Err("write a URL with scheme and host, such as http://127.0.0.1:4566".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::endpoint_url;

    #[test]
    fn endpoint_has_scheme_and_host() {
        for url in ["http://127.0.0.1:4566", "https://localhost.localstack.cloud:4566/", "http://[::1]:1/path"] {
            assert_eq!(endpoint_url(url).as_deref(), Ok(url));
        }
        for other in ["", " ", "localhost:4566", "127.0.0.1", "http://", "http:4566", "ftp://host", "http://a b"] {
            assert!(endpoint_url(other).is_err(), "{other:?}");
        }
    }
}
