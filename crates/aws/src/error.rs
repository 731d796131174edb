//! Errors of the SDK, turned into errors that a person can act on.

use std::any::Any;
use std::error::Error;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{DispatchFailure, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::error::operation::BuildError;

use peersync_engine::{Failure, ResourceError};

/// Codes that mean that the caller is not known to AWS (any more).
const CREDENTIAL_CODES: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "AuthFailure",
    "RequestExpired",
];

/// Codes that mean that the caller is known and may not.
const DENIED_CODES: &[&str] =
    &["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized"];

/// Codes by which endpoints that stand for AWS say that they do not have an operation.
const NOT_OFFERED_CODES: &[&str] = &["NotImplemented", "InvalidAction", "UnknownOperationException", "UnknownService"];

/// Gives a failed call the context of what it was for.
pub trait Context<T> {
    /// Says what failed, `failed to create the bucket`.
    ///
    /// # Errors
    /// The call's own error, with the context, the provider's code and the mend where we know one.
    fn context(self, summary: &str) -> Result<T, ResourceError>;
}

impl<T, E, R> Context<T> for Result<T, SdkError<E, R>>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    fn context(self, summary: &str) -> Result<T, ResourceError> {
        self.map_err(|error| convert(&error, summary))
    }
}

/// A request of ours that lacks something: a mistake in the program, said as one.
impl<T> Context<T> for Result<T, BuildError> {
    fn context(self, summary: &str) -> Result<T, ResourceError> {
        self.map_err(|error| ResourceError::new(summary).caused_by(error))
    }
}

/// The provider's code of a failed call.
pub fn code_of<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// Turns "there is no such thing" into `None`.
pub trait NotFound<T> {
    /// `None` where the call failed with one of these codes.
    ///
    /// # Errors
    /// Every other failure.
    fn found(self, absent: &[&str], summary: &str) -> Result<Option<T>, ResourceError>;
}

impl<T, E, R> NotFound<T> for Result<T, SdkError<E, R>>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    fn found(self, absent: &[&str], summary: &str) -> Result<Option<T>, ResourceError> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(error) if code_of(&error).is_some_and(|code| absent.contains(&code)) => Ok(None),
            Err(error) => Err(convert(&error, summary)),
        }
    }
}

fn convert<E, R>(error: &SdkError<E, R>, summary: &str) -> ResourceError
where
    E: ProvideErrorMetadata + Error,
    R: 'static,
{
    let code = code_of(error);
    let converted = ResourceError::new(summary).code(code).caused_by(Cause(cause_text(error)));
    match error {
        SdkError::ServiceError(_) if is_not_offered(error) => converted.failure(Failure::NotOffered),
        SdkError::ServiceError(_) => classify(converted, code.unwrap_or_default()),
        SdkError::DispatchFailure(failure) if lacks_credentials(failure) => converted
            .failure(Failure::Credentials)
            .hint("no credentials were found: set AWS_PROFILE, or run `aws sso login`, or export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) | SdkError::ResponseError(_) => converted
            .failure(Failure::Unreachable)
            .hint("check the network, the region and `--endpoint-url`; then run the command again, it continues where it stopped"),
        _ => converted,
    }
}

/// Whether the request was not sent because nobody gave credentials for it.
fn lacks_credentials(failure: &DispatchFailure) -> bool {
    let mut next = failure.as_connector_error().map(|error| error as &(dyn Error + 'static));
    while let Some(error) = next {
        if error.is::<CredentialsError>() {
            return true;
        }
        next = error.source();
    }
    false
}

/// Whether the answer is that of a server that does not have the service: it says so (LocalStack with a code of its
/// own), or does not know the path. A service of AWS always gives a code.
fn is_not_offered<E: ProvideErrorMetadata, R: 'static>(error: &SdkError<E, R>) -> bool {
    let response = error.raw_response().and_then(|raw| (raw as &dyn Any).downcast_ref::<HttpResponse>());
    match response.map(|response| response.status().as_u16()) {
        Some(501) => true,
        Some(404 | 405) => code_of(error).is_none(),
        _ => false,
    }
}

fn classify(error: ResourceError, code: &str) -> ResourceError {
    if CREDENTIAL_CODES.contains(&code) {
        error.failure(Failure::Credentials).hint(
            "the credentials are expired or wrong: run `aws sso login`, or set AWS_PROFILE or AWS_ACCESS_KEY_ID anew",
        )
    } else if DENIED_CODES.contains(&code) {
        error
            .failure(Failure::Denied)
            .hint("give your role the permissions that `peersync-deploy policy` prints, then run the command again")
    } else if NOT_OFFERED_CODES.contains(&code) {
        error.failure(Failure::NotOffered)
    } else {
        error
    }
}

fn cause_text<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + Error,
{
    if let Some(service) = error.as_service_error() {
        return match (service.code(), service.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            (None, Some(message)) => message.to_owned(),
            (None, None) => service.to_string(),
        };
    }
    let mut text = error.to_string();
    let mut next: Option<&dyn Error> = match error {
        SdkError::DispatchFailure(failure) => failure.as_connector_error().map(|error| error as &dyn Error),
        _ => None,
    };
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// The text of a cause, taken out of the SDK's error, which cannot be kept without its request.
#[derive(Debug)]
struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Error for Cause {}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn not_sent(cause: impl Into<Box<dyn Error + Send + Sync>>) -> ResourceError {
        let failure = SdkError::dispatch_failure(ConnectorError::other(cause.into(), None));
        convert::<ErrorMetadata, HttpResponse>(&failure, "failed to list")
    }

    #[test]
    fn a_connection_that_breaks_is_not_taken_for_missing_credentials() {
        let broken = not_sent("connection closed before message completed");
        assert_eq!(broken.failure, Failure::Unreachable);
        assert!(broken.hint.is_some_and(|hint| hint.contains("the network")));
        let nobodys = not_sent(CredentialsError::not_loaded("no providers in chain provided credentials"));
        assert_eq!(nobodys.failure, Failure::Credentials);
        assert!(nobodys.hint.is_some_and(|hint| hint.contains("AWS_PROFILE")));
    }
}
