//! Request bodies: JSON only, limited in size, and with a specific error for every mistake.

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::error::{ApiError, ApiResult};

/// The maximum length of a body in bytes. The longest valid one has an address and a token, less than 1 KB.
const MAX_BODY: usize = 16 * 1024;

/// The body of a request. An empty one counts as `{}`.
#[derive(Clone, Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> ApiResult<Self> {
        if !is_json(request.headers()) {
            return Err(ApiError::not_json());
        }
        let bytes = to_bytes(request.into_body(), MAX_BODY).await.map_err(|_| ApiError::too_large())?;
        parse(&bytes).map(Self)
    }
}

/// Returns whether the body is JSON. Any page can send a form or plain text without a preflight, but not JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// Parses a body.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> ApiResult<T> {
    let text = std::str::from_utf8(bytes).map_err(|_| ApiError::bad_json("The request is not UTF-8."))?;
    let text = if text.trim().is_empty() { "{}" } else { text };
    // serde would accept an array as the fields of a structure in their order.
    if !text.trim_start().starts_with('{') {
        let known = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        return Err(if known {
            ApiError::bad_field("The request is not a JSON object.")
        } else {
            ApiError::bad_json("The request is not JSON.")
        });
    }
    serde_json::from_str(text).map_err(|error| {
        if error.is_data() {
            ApiError::bad_field(format!("The request does not fit: {}.", without_values(&error.to_string())))
        } else {
            ApiError::bad_json("The request is not JSON.")
        }
    })
}

/// Removes the values that `serde_json` quotes: a message needs only what was wrong.
fn without_values(message: &str) -> String {
    match message.split_once(": ") {
        Some((kind @ ("invalid type" | "invalid value"), rest)) => {
            let expected = rest.split(", expected ").nth(1).unwrap_or("another one");
            format!("{kind}, expected {}", expected.split(" at line").next().unwrap_or(expected))
        }
        _ if message.starts_with("unknown variant") => "unknown value of a field with few values".to_owned(),
        _ => message.split(" at line").next().unwrap_or(message).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use proptest::prelude::*;

    use super::*;
    use crate::types::{FriendAnswer, LoginRequest, SignupRequest, TicketRequest, VerifyRequest};

    #[test]
    fn every_mistake_has_its_own_code() {
        for (body, code, message) in [
            (&b"{\"email\":"[..], "bad_json", "not JSON"),
            (b"nonsense", "bad_json", "not JSON"),
            (b"\xff\xfe{}", "bad_json", "UTF-8"),
            (b"", "bad_field", "missing field `email`"),
            (b"[\"ada@example.org\"]", "bad_field", "not a JSON object"),
            (b"\"ada@example.org\"", "bad_field", "not a JSON object"),
            (b"{\"email\":5}", "bad_field", "expected a string"),
            (b"{\"email\":\"a\",\"email\":\"b\"}", "bad_field", "duplicate field"),
            (b"{\"email\":\"a\"} trailing", "bad_json", "not JSON"),
        ] {
            let error = parse::<LoginRequest>(body).unwrap_err();
            assert_eq!(error.code, code, "{body:?}");
            assert!(error.message.contains(message), "{}", error.message);
        }
    }

    #[test]
    fn message_does_not_repeat_the_body() {
        let error = parse::<FriendAnswer>(br#"{"action":"<script>"}"#).unwrap_err();
        assert!(!error.message.contains("script"), "{}", error.message);
        let error = parse::<LoginRequest>(br#"{"email":12345}"#).unwrap_err();
        assert!(!error.message.contains("12345"), "{}", error.message);
    }

    #[test]
    fn only_json_is_accepted() {
        let of = |kind: &str| is_json(&[(header::CONTENT_TYPE, kind.parse().unwrap())].into_iter().collect());
        assert!(of("application/json") && of("Application/JSON; charset=utf-8"));
        assert!(!of("text/plain") && !of("application/x-www-form-urlencoded") && !of("application/jsonp"));
        assert!(!is_json(&HeaderMap::new()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse::<SignupRequest>(&bytes);
            let _ = parse::<VerifyRequest>(&bytes);
            let _ = parse::<FriendAnswer>(&bytes);
        }

        #[test]
        fn any_json_is_parsed_or_refused(
            text in "\\{(\"(email|name|token|code|match|room|action)\":(\"\\PC{0,12}\"|[0-9-]{1,20}|null|true|\\[\\]|\\{\\}),?){0,4}\\}?"
        ) {
            for code in [
                parse::<SignupRequest>(text.as_bytes()).err(),
                parse::<VerifyRequest>(text.as_bytes()).err(),
                parse::<FriendAnswer>(text.as_bytes()).err(),
                parse::<TicketRequest>(text.as_bytes()).err(),
            ].into_iter().flatten().map(|error| error.code) {
                prop_assert!(code == "bad_json" || code == "bad_field");
            }
        }
    }
}
