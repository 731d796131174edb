//! Makes the SDK repeat calls that a service refused because of a concurrent change, in words of its own: that passes, like
//! throttling, and the SDK knows only the words for that.

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};

use peersync_engine::rule;

/// The codes, each of which a service documents as "try again".
const PASSING: &[&str] = &[
    // IAM: "multiple requests to change this object were submitted simultaneously".
    "ConcurrentModification",
    "ConcurrentModificationException",
    // Systems Manager: "concurrent updates for a resource that supports one update at a time".
    "TooManyUpdates",
];
/// The header in which services that answer in JSON name the error.
const ERROR_TYPE: &str = "x-amzn-errortype";

/// Classifies refusals because of a concurrent change as throttling, so that the SDK repeats the call.
#[derive(Debug)]
pub(super) struct PassingCodes;

impl ClassifyRetry for PassingCodes {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let code = context.response().filter(|response| !response.status().is_success()).and_then(code_in);
        if rule!("concurrent-change-is-transient", code.is_some_and(|code| PASSING.contains(&code))) {
            RetryAction::throttling_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "PassingCodes"
    }
}

/// Returns the code of an error response: classifiers for all services cannot read the error itself, whose type is that of
/// one operation.
fn code_in(response: &HttpResponse) -> Option<&str> {
    let header = response.headers().get(ERROR_TYPE);
    let code = header.or_else(|| {
        let body = std::str::from_utf8(response.body().bytes()?).ok()?;
        let in_xml = || body.split_once("<Code>")?.1.split_once("</Code>").map(|(code, _)| code);
        let in_json = || body.split_once("\"__type\"")?.1.split('"').nth(1);
        in_xml().or_else(in_json)
    })?;
    // A name may have a namespace before it and a URL after it.
    let code = code.rsplit('#').next().unwrap_or(code);
    Some(code.split(':').next().unwrap_or(code))
}

#[cfg(test)]
mod tests {
    use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    /// The codes that pass by the documentation of each service ("Common errors" and the errors of the calls that are made),
    /// in the form in which it sends them.
    const DOCUMENTED: &[(&str, &str, Form)] = &[
        ("apigateway", "TooManyRequestsException", Form::Header),
        ("cloudfront", "Throttling", Form::Xml),
        ("dynamodb", "ThrottlingException", Form::Json),
        ("dynamodb", "ProvisionedThroughputExceededException", Form::Json),
        ("dynamodb", "RequestLimitExceeded", Form::Json),
        ("dynamodb", "LimitExceededException", Form::Json),
        ("ec2", "RequestLimitExceeded", Form::Xml),
        ("iam", "Throttling", Form::Xml),
        ("iam", "ConcurrentModification", Form::Xml),
        ("lambda", "TooManyRequestsException", Form::Header),
        ("lambda", "EC2ThrottledException", Form::Header),
        ("logs", "ThrottlingException", Form::Json),
        ("logs", "LimitExceededException", Form::Json),
        ("monitoring", "Throttling", Form::Xml),
        ("monitoring", "ThrottlingException", Form::Xml),
        ("route53", "PriorRequestNotComplete", Form::Xml),
        ("s3", "SlowDown", Form::Xml),
        ("ssm", "ThrottlingException", Form::Json),
        ("ssm", "TooManyUpdates", Form::Json),
        ("sts", "Throttling", Form::Xml),
    ];

    #[derive(Clone, Copy)]
    enum Form {
        Xml,
        Json,
        Header,
    }

    fn response(code: &str, form: Form) -> HttpResponse {
        let body = match form {
            Form::Xml => format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"),
            Form::Json => format!(r#"{{"__type":"com.amazonaws.service#{code}","message":"m"}}"#),
            Form::Header => r#"{"message":"m"}"#.to_owned(),
        };
        let mut response = HttpResponse::new(StatusCode::try_from(400).unwrap(), SdkBody::from(body));
        if matches!(form, Form::Header) {
            response.headers_mut().insert(ERROR_TYPE, format!("{code}:http://internal.amazon.com/coral/"));
        }
        response
    }

    #[test]
    fn code_that_passes_is_repeated_for_every_service() {
        for (service, code, form) in DOCUMENTED {
            let response = response(code, *form);
            assert_eq!(code_in(&response), Some(*code), "{service}");
            let by_sdk = THROTTLING_ERRORS.contains(code) || TRANSIENT_ERRORS.contains(code);
            assert!(by_sdk || PASSING.contains(code), "{service}: {code}");
        }
    }

    #[test]
    fn refusal_for_good_is_not_repeated() {
        for code in ["AccessDenied", "NoSuchEntity", "ValidationException", "EntityAlreadyExists", "DeleteConflict"] {
            assert!(!PASSING.contains(&code) && !THROTTLING_ERRORS.contains(&code), "{code}");
        }
    }
}
