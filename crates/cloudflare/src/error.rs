//! Cloudflare's errors, as errors that a user can act on.

use serde::Deserialize;

use peersync_config::{CLOUDFLARE_API_TOKEN, CLOUDFLARE_PERMISSIONS};
use peersync_engine::{Failure, ResourceError};

/// A tunnel cannot be deleted while a connector is connected.
pub const STILL_CONNECTED: &[&str] = &["1022"];
/// A record of that name exists, which excludes another one: A or AAAA, CNAME, or exactly the same.
pub const CONFLICTING_RECORD: &[&str] = &["81053", "81054", "81057", "81058"];

/// The codes with which Cloudflare refuses a token: a form that is none (6003, 6111), one that it does not know (1000,
/// 9109), one whose address or time is not allowed (9103, 9106), and one without the permission (10000, 10001, 9107).
const TOKEN_REFUSED: [u32; 9] = [1000, 6003, 6111, 9103, 9106, 9107, 9109, 10000, 10001];

/// One error of an answer.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Refusal {
    #[serde(default)]
    pub(crate) code: u32,
    #[serde(default)]
    pub(crate) message: String,
    /// What led to it.
    #[serde(default)]
    pub(crate) error_chain: Vec<Refusal>,
}

/// The codes of errors that depend on the status alone.
pub(crate) struct Refused;

impl Refused {
    /// It does not exist.
    pub(crate) const ABSENT: &'static str = "HTTP 404";
    /// Too many requests.
    const TOO_MANY: &'static str = "HTTP 429";
    /// Cloudflare's own fault.
    const FAILED: &'static str = "HTTP 5xx";
    /// There was no answer.
    const UNREACHABLE: &'static str = "unreachable";
}

/// Returns whether the same request may succeed soon.
pub(crate) fn is_transient(error: &ResourceError) -> bool {
    error.is(&[Refused::TOO_MANY, Refused::FAILED, Refused::UNREACHABLE])
}

/// Returns the error that the environment has no API token.
pub fn no_token() -> ResourceError {
    ResourceError::new("Cloudflare's API token is not set")
        .failure(Failure::Elsewhere)
        .caused_by(format!("the environment variable {CLOUDFLARE_API_TOKEN} is not set"))
        .hint(format!(
            "create an API token in Cloudflare's dashboard (My Profile, API Tokens) with the permissions \
             {CLOUDFLARE_PERMISSIONS}; then `export {CLOUDFLARE_API_TOKEN}=…` and run the command again"
        ))
}

/// Returns the error of a request that got no answer.
pub(crate) fn unreachable(summary: &str, cause: &str) -> ResourceError {
    ResourceError::new(summary)
        .failure(Failure::Elsewhere)
        .code(Some(Refused::UNREACHABLE))
        .caused_by(format!("Cloudflare does not answer: {cause}"))
        .hint(LATER)
}

const LATER: &str = "check the network and https://www.cloudflarestatus.com; then run the command again: it continues where \
                     it stopped";

/// Returns the error of a request that was refused.
pub(crate) fn refused(summary: &str, status: u16, errors: &[Refusal]) -> ResourceError {
    let all = || errors.iter().flat_map(|error| [error].into_iter().chain(&error.error_chain));
    let told: Vec<String> = all().map(told).filter(|text| !text.is_empty()).collect();
    let told = if told.is_empty() { "no reason".to_owned() } else { told.join(", ") };
    let first = errors.first().map(|error| error.code.to_string());
    let code = match status {
        404 => Some(Refused::ABSENT),
        429 => Some(Refused::TOO_MANY),
        500.. => Some(Refused::FAILED),
        _ => first.as_deref(),
    };
    let error = ResourceError::new(summary)
        .failure(Failure::Elsewhere)
        .code(code)
        .caused_by(format!("Cloudflare answered HTTP {status}: {told}"));
    let is_token = matches!(status, 401 | 403) || (status == 400 && all().any(|one| TOKEN_REFUSED.contains(&one.code)));
    match status {
        _ if is_token => error.hint(format!(
            "check {CLOUDFLARE_API_TOKEN}: it must be an API token, not a key or a tunnel's token, that has not expired, with \
             the permissions {CLOUDFLARE_PERMISSIONS}"
        )),
        429 => error.hint(
            "Cloudflare allows a user 1200 requests in five minutes, with all tokens together: run the command again later, it \
             continues where it stopped",
        ),
        500.. => error.hint(LATER),
        _ => error,
    }
}

fn told(refusal: &Refusal) -> String {
    match refusal.code {
        0 => refusal.message.clone(),
        code => format!("{code} {}", refusal.message).trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(status: u16, code: u32, message: &str) -> String {
        let refusal = Refusal { code, message: message.to_owned(), error_chain: Vec::new() };
        let error = refused("failed to list the tunnels", status, &[refusal]);
        let code = error.code.as_deref().unwrap_or_default();
        format!("{error} [{code}]: {}\n{}", error.causes().join(", "), error.hint.as_deref().unwrap_or("-"))
    }

    #[test]
    fn each_kind_of_refusal_has_its_fix() {
        insta::assert_snapshot!(
            [
                shown(403, 9109, "Invalid access token"),
                shown(403, 10000, "Authentication error"),
                shown(400, 6003, "Invalid request headers"),
                shown(429, 971, "Please wait and consider throttling your request speed"),
                shown(502, 0, "bad gateway"),
                shown(400, 81053, "An A, AAAA, or CNAME record with that host already exists."),
            ]
            .join("\n"),
            @r"
        failed to list the tunnels [9109]: Cloudflare answered HTTP 403: 9109 Invalid access token
        check CLOUDFLARE_API_TOKEN: it must be an API token, not a key or a tunnel's token, that has not expired, with the permissions Account / Cloudflare Tunnel / Edit, Zone / DNS / Edit and Zone / Zone / Read, for the account and the zone of the domain
        failed to list the tunnels [10000]: Cloudflare answered HTTP 403: 10000 Authentication error
        check CLOUDFLARE_API_TOKEN: it must be an API token, not a key or a tunnel's token, that has not expired, with the permissions Account / Cloudflare Tunnel / Edit, Zone / DNS / Edit and Zone / Zone / Read, for the account and the zone of the domain
        failed to list the tunnels [6003]: Cloudflare answered HTTP 400: 6003 Invalid request headers
        check CLOUDFLARE_API_TOKEN: it must be an API token, not a key or a tunnel's token, that has not expired, with the permissions Account / Cloudflare Tunnel / Edit, Zone / DNS / Edit and Zone / Zone / Read, for the account and the zone of the domain
        failed to list the tunnels [HTTP 429]: Cloudflare answered HTTP 429: 971 Please wait and consider throttling your request speed
        Cloudflare allows a user 1200 requests in five minutes, with all tokens together: run the command again later, it continues where it stopped
        failed to list the tunnels [HTTP 5xx]: Cloudflare answered HTTP 502: bad gateway
        check the network and https://www.cloudflarestatus.com; then run the command again: it continues where it stopped
        failed to list the tunnels [81053]: Cloudflare answered HTTP 400: 81053 An A, AAAA, or CNAME record with that host already exists.
        -
        "
        );
    }

    #[test]
    fn only_passing_failures_are_repeated() {
        let transient = |status| is_transient(&refused("failed", status, &[]));
        assert!(
            [429, 500, 502, 503, 504, 520].into_iter().all(transient) && is_transient(&unreachable("failed", "reset"))
        );
        assert!(![400, 401, 403, 404, 409].into_iter().any(transient));
    }
}
