//! The protocol of each service: how a request names its operation, and the form of errors.

use super::operation::{ByPath, api_gateway, cloudfront, lambda, s3};

/// The protocol of one service.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// The service by its signing name.
    pub service: &'static str,
    /// Finds the operation by method and path; `None` if the request names it.
    pub operation: Option<ByPath>,
    /// The form of its errors.
    pub errors: ErrorForm,
    /// Its error codes for throttling, and for a concurrent change that passes as well.
    pub throttled: &'static [&'static str],
}

/// The form of an error's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorForm {
    /// XML, as S3 sends it.
    S3,
    /// XML, as EC2 sends it.
    Ec2,
    /// XML, as the query services and CloudFront send it.
    Query,
    /// JSON 1.0, with its code in the body.
    Json10,
    /// JSON 1.1, with its code in the body.
    Json11,
    /// JSON with nothing but the message; the code is in a header.
    RestJson,
}

impl ErrorForm {
    /// Returns the status and the code with which services of this form deny a request.
    pub fn denied(self) -> (u16, &'static str) {
        match self {
            Self::Ec2 => (403, "UnauthorizedOperation"),
            Self::S3 | Self::Query => (403, "AccessDenied"),
            Self::RestJson => (403, "AccessDeniedException"),
            Self::Json10 | Self::Json11 => (400, "AccessDeniedException"),
        }
    }
}

/// The error code with which most services throttle requests.
const TOO_MANY: &[&str] = &["TooManyRequestsException"];

/// All services that the product uses.
const PROTOCOLS: &[Protocol] = &[
    Protocol::rest("apigateway", api_gateway, ErrorForm::RestJson, TOO_MANY),
    Protocol::rest("cloudfront", cloudfront, ErrorForm::Query, &["Throttling"]),
    Protocol::named(
        "dynamodb",
        ErrorForm::Json10,
        &["ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"],
    ),
    Protocol::named("ec2", ErrorForm::Ec2, &["RequestLimitExceeded"]),
    Protocol::named("iam", ErrorForm::Query, &["Throttling", "ConcurrentModification"]),
    Protocol::rest("lambda", lambda, ErrorForm::RestJson, TOO_MANY),
    Protocol::named("logs", ErrorForm::Json11, &["ThrottlingException", "LimitExceededException"]),
    Protocol::named("monitoring", ErrorForm::Query, &["Throttling", "ThrottlingException"]),
    Protocol::rest("s3", s3, ErrorForm::S3, TOO_MANY),
    Protocol::named("servicequotas", ErrorForm::Json11, TOO_MANY),
    Protocol::named("sns", ErrorForm::Query, &["Throttled"]),
    Protocol::named("ssm", ErrorForm::Json11, &["ThrottlingException", "TooManyUpdates"]),
    Protocol::named("tagging", ErrorForm::Json11, &["ThrottledException"]),
    Protocol::named("sts", ErrorForm::Query, &["Throttling"]),
];

impl Protocol {
    /// Returns the protocol of a service whose requests name their operation.
    const fn named(service: &'static str, errors: ErrorForm, throttled: &'static [&'static str]) -> Self {
        Self { service, operation: None, errors, throttled }
    }

    /// Returns the protocol of a service whose operations are recognized by method and path.
    const fn rest(
        service: &'static str,
        operation: ByPath,
        errors: ErrorForm,
        throttled: &'static [&'static str],
    ) -> Self {
        Self { service, operation: Some(operation), errors, throttled }
    }

    /// Returns the protocol of a service, by its signing name; the most common one for a service that is not listed.
    pub fn of(service: &str) -> Self {
        let known = PROTOCOLS.iter().find(|protocol| protocol.service == service);
        known.copied().unwrap_or(Self::named("", ErrorForm::Json11, TOO_MANY))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use peersync_aws::SERVICES;

    use super::PROTOCOLS;

    #[test]
    fn proxy_knows_the_protocol_of_every_service() {
        let known: BTreeSet<&str> = PROTOCOLS.iter().map(|protocol| protocol.service).collect();
        assert_eq!(known, SERVICES.iter().map(|service| service.signing_name).collect());
    }
}
