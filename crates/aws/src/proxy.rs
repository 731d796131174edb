//! Which requests go through a proxy: those that the variables of the environment say, as for curl and the AWS command
//! line, except for what is on this computer.

use std::net::IpAddr;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use peersync_engine::ResourceError;

/// The variables that name a proxy. Of each pair the first one that is set counts, even if it is empty.
const VARIABLES: [[&str; 2]; 3] =
    [["HTTPS_PROXY", "https_proxy"], ["HTTP_PROXY", "http_proxy"], ["ALL_PROXY", "all_proxy"]];

/// Returns the variables that name proxies, each with its value.
fn chosen(variable: impl Fn(&str) -> Option<String>) -> Vec<(&'static str, String)> {
    let set = |names: &[&'static str; 2]| names.iter().find_map(|name| Some((*name, variable(name)?)));
    VARIABLES.iter().filter_map(set).filter(|(_, value)| !value.is_empty()).collect()
}

/// Returns the value of a variable of the environment, if it is text.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Returns whether a proxy is named for anything.
pub(super) fn is_any() -> bool {
    !chosen(variable).is_empty()
}

/// Checks that what the variables name are proxies that can be used. Libraries ignore others, and would connect directly.
///
/// # Errors
/// Names the variable; its value may contain a password.
pub(super) fn check() -> Result<(), ResourceError> {
    match chosen(variable).into_iter().find(|(_, value)| !is_http_proxy(value)) {
        None => Ok(()),
        Some((name, _)) => Err(ResourceError::new("a variable does not hold the URL of an HTTP proxy")
            .caused_by(format!("the variable is {name}"))
            .hint(
                "write http://HOST:PORT or http://NAME:PASSWORD@HOST:PORT, with special characters of name and password \
                 percent-encoded; SOCKS proxies are not supported",
            )),
    }
}

fn is_http_proxy(value: &str) -> bool {
    let has_form = |url: &Uri| matches!(url.scheme_str(), None | Some("http" | "https")) && url.authority().is_some();
    value.parse::<Uri>().is_ok_and(|url| has_form(&url))
}

/// Returns the proxy through which a URL is requested, without name and password; `None` if it is requested directly.
pub(super) fn of(url: &str) -> Option<String> {
    let url: Uri = url.parse().ok()?;
    let proxy = Matcher::from_env().intercept(&url).filter(|_| !is_near(url.host().unwrap_or_default()))?;
    Some(proxy.uri().to_string().trim_end_matches('/').to_owned())
}

/// Returns whether a URL is never requested through a proxy: a proxy reaches neither this computer nor the services that
/// give credentials to an instance or a container of AWS, which have link-local addresses.
pub(super) fn is_direct(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|url| is_near(url.host().unwrap_or_default()))
}

fn is_near(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        // AWS's services on instances are in fd00:ec2::/32.
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.segments().starts_with(&[0xfd00, 0xec2]),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{chosen, is_direct, is_http_proxy};

    #[test]
    fn upper_case_counts_before_lower_case_and_empty_means_none() {
        let of = |set: &'static [(&str, &str)]| {
            chosen(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(of(&[("https_proxy", "a:1")]), [("https_proxy", "a:1".to_owned())]);
        assert_eq!(of(&[("https_proxy", "a:1"), ("HTTPS_PROXY", "b:1")]), [("HTTPS_PROXY", "b:1".to_owned())]);
        assert_eq!(of(&[("https_proxy", "a:1"), ("HTTPS_PROXY", "")]), []);
    }

    #[test]
    fn only_http_proxies_are_accepted() {
        for url in ["http://proxy:3128", "https://proxy", "proxy.example.org:8080", "http://a:b%40c@proxy:3128/"] {
            assert!(is_http_proxy(url), "{url}");
        }
        for other in ["socks5://proxy:1080", "http://", "http://a b", "/path"] {
            assert!(!is_http_proxy(other), "{other}");
        }
    }

    #[test]
    fn this_computer_and_the_metadata_services_are_never_behind_a_proxy() {
        for url in [
            "http://127.0.0.1:4566/x",
            "https://localhost:1",
            "http://api.localhost",
            "http://[::1]:1/",
            "http://169.254.169.254/latest",
            "http://[fd00:ec2::254]/",
        ] {
            assert!(is_direct(url), "{url}");
        }
        for url in ["https://sts.eu-central-1.amazonaws.com/", "http://10.0.0.1/", "http://localhost.example.org/"] {
            assert!(!is_direct(url), "{url}");
        }
    }
}
