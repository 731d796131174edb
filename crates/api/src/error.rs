//! Errors as clients see them: `{"error":{"code","message"}}`. A code is for programs and never changes. A message is
//! for people and contains nothing that the caller did not send.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa::IntoResponses;
use utoipa::openapi::{self, ContentBuilder, Ref, RefOr, ResponseBuilder, ResponsesBuilder};

use crate::types::{ErrorBody, ErrorDetail};
use peersync_server::display_name::InvalidName;
use peersync_server::email_address::InvalidEmail;
use peersync_server::secrets::SecretsError;
use peersync_server::store::StoreError;

/// A refused or failed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The code, for programs.
    pub code: &'static str,
    /// The message, for people.
    pub message: String,
    /// The seconds to wait, for `Retry-After`.
    pub retry_after: Option<i64>,
}

/// The result of a handler.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// 400: the body is not JSON, not UTF-8, or truncated.
    pub fn bad_json(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_json", message)
    }

    /// 400: a field is missing or of the wrong type or value.
    pub fn bad_field(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_field", message)
    }

    /// 400: the e-mail address is not acceptable.
    pub fn email() -> Self {
        InvalidEmail::Malformed.into()
    }

    /// 400: the code from the mail is wrong, used, expired, or tried too often.
    pub fn code() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "code", "This code does not work. Ask for a new mail if it keeps happening.")
    }

    /// 400: the link is unknown, used or expired.
    pub fn token() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "token", "This link was used or has expired. Ask for a new one.")
    }

    /// 409: the browser is not the one that requested the mail, and the number is missing or wrong.
    pub fn number() -> Self {
        Self::new(StatusCode::CONFLICT, "match", "Enter the number that is shown where you asked for the link.")
    }

    /// 401: the caller is not signed in.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Sign in first.")
    }

    /// 403: a page of another origin sent the request.
    pub fn origin() -> Self {
        Self::new(StatusCode::FORBIDDEN, "origin", "Requests from this origin are not accepted.")
    }

    /// 404: the route does not exist.
    pub fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "This route does not exist.")
    }

    /// 404: the room does not exist or has expired.
    pub fn no_room() -> Self {
        Self::new(StatusCode::NOT_FOUND, "room_not_found", "This room does not exist or has ended.")
    }

    /// 404: the friend request does not exist.
    pub fn no_request() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_request", "This friend request no longer exists.")
    }

    /// 405: the route has no such method.
    pub fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This route does not support this method.")
    }

    /// 409: the user's list of friends, requests and blocks is full.
    pub fn list_full() -> Self {
        let message = "Your list is full. Remove friends, requests or blocks that you no longer need.";
        Self::new(StatusCode::CONFLICT, "list_full", message)
    }

    /// 413: the body is longer than any valid request.
    pub fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The request is too large.")
    }

    /// 415: the content type is not JSON.
    pub fn not_json() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", "Send JSON with content-type application/json.")
    }

    /// 429: a limit is exceeded for `seconds` more.
    pub fn slow_down(seconds: i64) -> Self {
        let seconds = seconds.max(1);
        let mut error = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "slow_down",
            format!("Too many requests. Try again in {seconds} seconds."),
        );
        error.retry_after = Some(seconds);
        error
    }

    /// 503: a dependency is unavailable.
    pub fn unavailable() -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Try again in a moment.");
        error.retry_after = Some(2);
        error
    }
}

impl From<InvalidEmail> for ApiError {
    fn from(error: InvalidEmail) -> Self {
        let (code, message) = match error {
            InvalidEmail::Malformed => ("email", "Enter an email address like ada@example.org."),
            InvalidEmail::LocalPart => {
                ("email_letters", "Before the @ an address can have only the letters a to z, without accents.")
            }
        };
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }
}

impl From<InvalidName> for ApiError {
    fn from(error: InvalidName) -> Self {
        let (code, message) = match error {
            InvalidName::Length => ("name", "Enter a name of 1 to 64 characters."),
            InvalidName::Invisible => ("name_invisible", "The name contains an invisible character. Type it again."),
            InvalidName::Accents => ("name_accents", "The name has too many accents on one letter."),
            InvalidName::Link => {
                ("name_link", "A name cannot contain a web or email address. After a dot, type a space.")
            }
        };
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the database call failed");
        Self::unavailable()
    }
}

impl From<SecretsError> for ApiError {
    fn from(error: SecretsError) -> Self {
        tracing::error!(%error, "the secrets could not be loaded");
        Self::unavailable()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let detail = ErrorDetail { code: self.code.to_owned(), message: self.message };
        let mut response = (self.status, Json(ErrorBody { error: detail })).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The error responses that any route may return.
pub(crate) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let refusal = |text: &str| {
            let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
            ResponseBuilder::new().description(text).content("application/json", body).build()
        };
        let refusals = [
            ("400", "The request is not JSON, or a field is missing or wrong."),
            ("403", "A page of somebody else's sent the request."),
            ("405", "The route does not know the method."),
            ("413", "The request is too large."),
            ("415", "The request is not JSON."),
            ("429", "Too often; `Retry-After` says when to try again."),
            ("503", "Something that the API needs is away."),
        ];
        let responses = refusals
            .into_iter()
            .fold(ResponsesBuilder::new(), |all, (status, text)| all.response(status, refusal(text)));
        responses.build().into()
    }
}
