//! Converts the SDK's errors into errors that a user can act on.

use std::any::Any;
use std::error::Error;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{DispatchFailure, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::error::operation::BuildError;

use super::advice::advise;
use super::write_guard::WriteRefused;
use peersync_engine::{Failure, ResourceError};

/// Adds the purpose of a call to its error.
pub trait Context<T> {
    /// Converts the error to one with this summary, such as `failed to create the bucket`.
    ///
    /// # Errors
    /// The call's own error as the cause, with the summary, AWS's error code and a hint if one applies.
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

/// A request that lacks a required member: a bug in this program, reported as an error.
impl<T> Context<T> for Result<T, BuildError> {
    fn context(self, summary: &str) -> Result<T, ResourceError> {
        self.map_err(|error| ResourceError::new(summary).caused_by(error))
    }
}

/// Returns AWS's error code of a failed call.
pub fn code_of<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// Converts errors that mean "not found" into `None`.
pub trait NotFound<T> {
    /// Returns `None` if the call failed with one of the codes in `absent`.
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
        SdkError::ServiceError(service) => {
            advise(converted, code.unwrap_or_default(), service.err().message().unwrap_or_default())
        }
        SdkError::DispatchFailure(failure) if has_cause::<WriteRefused>(failure) => {
            converted.hint("run the command again: it continues where it stopped")
        }
        SdkError::DispatchFailure(failure) if has_cause::<CredentialsError>(failure) => converted
            .failure(Failure::Credentials)
            .hint("no credentials were found: set AWS_PROFILE, run `aws sso login`, or export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) | SdkError::ResponseError(_) => converted
            .failure(Failure::Unreachable)
            .hint("check the network, the region and `--endpoint-url`; then run the command again: it continues where it stopped"),
        _ => converted,
    }
}

/// Returns whether an error of this type is among the reasons why the request was not sent: there were no credentials to
/// sign it with, or no lease.
fn has_cause<E: Error + 'static>(failure: &DispatchFailure) -> bool {
    let mut next = failure.as_connector_error().map(|error| error as &(dyn Error + 'static));
    while let Some(error) = next {
        if error.is::<E>() {
            return true;
        }
        next = error.source();
    }
    false
}

/// Returns whether the response means that the endpoint lacks the service: status 501, whatever its code (LocalStack
/// has its own), or an unknown path. AWS itself always returns an error code.
fn is_not_offered<E: ProvideErrorMetadata, R: 'static>(error: &SdkError<E, R>) -> bool {
    let response = error.raw_response().and_then(|raw| (raw as &dyn Any).downcast_ref::<HttpResponse>());
    match response.map(|response| response.status().as_u16()) {
        Some(501) => true,
        Some(404 | 405) => code_of(error).is_none(),
        _ => false,
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

/// The text of an SDK error. The error itself is not kept, because it holds its request and response.
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
    fn broken_connection_is_not_reported_as_missing_credentials() {
        let broken = not_sent("connection closed before message completed");
        assert_eq!(broken.failure, Failure::Unreachable);
        assert!(broken.hint.is_some_and(|hint| hint.contains("the network")));
        let unsigned = not_sent(CredentialsError::not_loaded("no providers in chain provided credentials"));
        assert_eq!(unsigned.failure, Failure::Credentials);
        assert!(unsigned.hint.is_some_and(|hint| hint.contains("AWS_PROFILE")));
    }
}
