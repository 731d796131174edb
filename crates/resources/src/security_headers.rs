//! The security headers of the pages: one definition for CloudFront's response headers policy and for the edge of
//! `local`, so that what works on a laptop works in AWS.

/// How long browsers must insist on HTTPS, in seconds: two years, as <https://hstspreload.org> asks for.
pub const STRICT_TRANSPORT_MAX_AGE_SECONDS: i32 = 63_072_000;
/// Browsers never send our URLs, which may contain tokens, to anybody.
pub const REFERRER_POLICY: &str = "no-referrer";
/// Nobody may frame our pages.
pub const FRAME_OPTIONS: &str = "DENY";

/// Headers without a field of their own in CloudFront: they go into the custom part of the policy.
pub const CUSTOM: &[(&str, &str)] = &[
    (
        "permissions-policy",
        "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), autoplay=(self), \
         screen-wake-lock=(self), speaker-selection=(self), clipboard-write=(self), geolocation=(), payment=(), \
         usb=(), serial=(), hid=(), bluetooth=(), midi=(), accelerometer=(), gyroscope=(), magnetometer=()",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Returns the content security policy: everything from our own origin, no inline script or style, nothing framed.
///
/// `connect` contains further origins that pages may connect to: the WebSocket's, if it does not come in through
/// CloudFront.
pub fn content_security_policy(connect: &[String]) -> String {
    let mut connect_sources = String::from("'self'");
    for origin in connect {
        connect_sources.push(' ');
        connect_sources.push_str(origin);
    }
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
         media-src 'self' blob: mediastream:; font-src 'self'; connect-src {connect_sources}; manifest-src 'self'; \
         worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
}

/// Returns the further origins that a content security policy of this form lets pages connect to.
pub fn connect_origins(policy: &str) -> Vec<String> {
    let sources = policy.split(';').find_map(|part| part.trim().strip_prefix("connect-src "));
    let origins = sources.into_iter().flat_map(str::split_whitespace).filter(|source| source.starts_with("wss://"));
    origins.map(str::to_owned).collect()
}

/// Returns all headers of a page as names and values, except `strict-transport-security`, which the edge of `local`
/// must not send: browsers would then refuse plain HTTP on every other port of `localhost`.
pub fn all(connect: &[String]) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("content-security-policy", content_security_policy(connect)),
        ("referrer-policy", REFERRER_POLICY.to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("x-frame-options", FRAME_OPTIONS.to_owned()),
    ];
    headers.extend(CUSTOM.iter().map(|(name, value)| (*name, (*value).to_owned())));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_forbids_inline_scripts_and_other_origins() {
        let policy = content_security_policy(&[]);
        assert!(policy.contains("script-src 'self';") && policy.contains("default-src 'none';"));
        assert!(!policy.contains("unsafe") && !policy.contains("http"));
    }

    #[test]
    fn policy_allows_the_origin_of_the_websocket() {
        let policy = content_security_policy(&["wss://signal.example.org".to_owned()]);
        assert!(policy.contains("connect-src 'self' wss://signal.example.org;"), "{policy}");
        assert_eq!(connect_origins(&policy), ["wss://signal.example.org"]);
        assert!(connect_origins(&content_security_policy(&[])).is_empty());
    }

    #[test]
    fn header_names_are_lower_case_and_values_single_lines() {
        for (name, value) in all(&[]) {
            assert_eq!(name, name.to_lowercase());
            assert!(!value.contains('\n') && !value.contains("  "), "{name}: {value}");
        }
    }
}
