//! What to do about an error of AWS: the kind of the failure, and a hint that can help.
//!
//! The texts are AWS's own. "Access denied" has many reasons, and only one of them is a missing permission of the role.

use peersync_engine::{Failure, ResourceError};

/// Error codes for credentials that AWS does not accept, or no longer accepts.
const CREDENTIAL_CODES: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "RequestExpired",
];

/// Error codes for missing permissions. EC2's `AuthFailure` is one of them, unless its text is about credentials: it is also
/// the answer for an address or interface that belongs to a service of AWS.
const DENIED_CODES: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthorizationError",
    "NotAuthorized",
    "AuthFailure",
];

/// Error codes that AWS emulators return for operations that they do not implement.
const NOT_OFFERED_CODES: &[&str] = &["NotImplemented", "InvalidAction", "UnknownOperationException", "UnknownService"];

/// Error codes for an account or region that is not ready.
const ACCOUNT_CODES: &[(&str, &str)] = &[
    (
        "PendingVerification",
        "AWS is still validating the account for this region, which takes up to four hours: run the command again then",
    ),
    (
        "OptInRequired",
        "the account is not signed up for this service, or the region is not enabled: complete the sign-up in the AWS \
         console, or enable the region under Account, AWS Regions; then run the command again",
    ),
    (
        "RegionDisabledException",
        "the region is not enabled for the account: enable it in the AWS console under Account, AWS Regions, or choose \
         another one; then run the command again",
    ),
    ("Blocked", "AWS has blocked the account: see its messages in the AWS console under Your Health Dashboard"),
    (
        "SubscriptionRequiredException",
        "the account is not signed up for this service: complete the sign-up in the AWS console, then run the command again",
    ),
];

/// Error codes for quotas of the account that stacks can use up.
const QUOTA_CODES: &[&str] = &[
    "AddressLimitExceeded",
    "CodeStorageExceededException",
    "InstanceLimitExceeded",
    "LimitExceeded",
    "LimitExceededException",
    "SecurityGroupLimitExceeded",
    "TooManyBuckets",
    "TooManyDistributions",
    "TooManyOriginAccessControls",
    "TooManyResponseHeadersPolicies",
    "VcpuLimitExceeded",
];

/// Parts of the texts of denials, and what helps. The first that fits counts.
const DENIALS: &[(&str, &str)] = &[
    (
        "must be verified before you can add",
        "AWS must verify the account for CloudFront first, which no permission replaces: open a case at \
         https://console.aws.amazon.com/support (Account and billing, which needs no support plan), and run the command \
         again once it is answered",
    ),
    (
        "service control policy",
        "a service control policy of your organization denies this, which no permission of your role replaces: ask who \
         manages the organization, or use another account or region",
    ),
    (
        "resource control policy",
        "a resource control policy of your organization denies this, which no permission of your role replaces: ask who \
         manages the organization",
    ),
    (
        "permissions boundary",
        "the permissions boundary of your role denies this: let whoever set it allow what `peersync-deploy policy` prints, or \
         set `permissions_boundary` under [stack] if the boundary demands one for new roles",
    ),
    (
        "session policy",
        "the session policy with which the role was assumed denies this: assume the role without it, or with what \
         `peersync-deploy policy` prints",
    ),
    (
        "VPC endpoint policy",
        "the policy of a VPC endpoint in your network denies this: let it allow the action, or run the command elsewhere",
    ),
    ("explicit deny in a resource-based policy", "a policy of the resource denies this: remove that statement"),
    (
        "explicit deny in an identity-based policy",
        "a policy of your role denies this explicitly, so adding permissions does not help: remove that statement, then run \
         the command again",
    ),
];

/// EC2's `AuthFailure` is a denial that no permission replaces.
const NOT_THEIRS: &str = "a service of AWS or another account owns this address or interface, as that of a load balancer: no \
                          permission of your role replaces that, so leave it to its owner, and do not adopt it";
const MISSING_PERMISSION: &str =
    "give your role the permissions that `peersync-deploy policy` prints, then run the command again";
const WRONG_CREDENTIALS: &str = "the credentials are expired or wrong: run `aws sso login`, or correct AWS_PROFILE or \
                                 AWS_ACCESS_KEY_ID; in a region that your account has not enabled, all of them are refused";

/// Adds the kind of the failure, and a hint if one can help.
pub(super) fn advise(error: ResourceError, code: &str, message: &str) -> ResourceError {
    let is_about_credentials = CREDENTIAL_CODES.contains(&code)
        || (code == "AuthFailure" && message.contains("validate the provided access credentials"));
    if is_about_credentials {
        error.failure(Failure::Credentials).hint(WRONG_CREDENTIALS)
    } else if DENIED_CODES.contains(&code) {
        let reason = DENIALS.iter().find(|(text, _)| message.contains(text));
        let other = if code == "AuthFailure" { NOT_THEIRS } else { MISSING_PERMISSION };
        error.failure(Failure::Denied).hint(reason.map_or(other, |(_, hint)| hint))
    } else if NOT_OFFERED_CODES.contains(&code) {
        error.failure(Failure::NotOffered)
    } else if QUOTA_CODES.contains(&code) {
        error.hint(
            "the account's quota is used up: `peersync-deploy list --all-regions` shows the stacks, of which you can remove \
             some with `peersync-deploy down --stage STAGE`; or request a quota increase in the AWS console under Service \
             Quotas; then run the command again",
        )
    } else if let Some((_, hint)) = ACCOUNT_CODES.iter().find(|(known, _)| *known == code) {
        error.hint(*hint)
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes and texts as AWS sends them, from public reports and the IAM user guide ("Troubleshoot access denied error
    /// messages"), and what the hint must say.
    const SENT: &[(&str, &str, Failure, &str)] = &[
        (
            "AccessDenied",
            "Your account must be verified before you can add new CloudFront resources. To verify your account, please \
             contact AWS Support (https://console.aws.amazon.com/support/home#/ ) and include this error message.",
            Failure::Denied,
            "open a case",
        ),
        (
            "AccessDenied",
            "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: iam:CreateRole on resource: \
             arn:aws:iam::123456789012:role/x with an explicit deny in a service control policy",
            Failure::Denied,
            "organization",
        ),
        (
            "AccessDeniedException",
            "User: arn:aws:sts::123456789012:assumed-role/ci/x is not authorized to perform: lambda:CreateFunction on \
             resource: arn:aws:lambda:eu-central-1:123456789012:function:x because no service control policy allows the \
             lambda:CreateFunction action",
            Failure::Denied,
            "organization",
        ),
        (
            "UnauthorizedOperation",
            "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/ci is not authorized to \
             perform: ec2:RunInstances on resource: * with an explicit deny in a permissions boundary. Encoded authorization \
             failure message: abc",
            Failure::Denied,
            "permissions_boundary",
        ),
        (
            "AccessDenied",
            "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: iam:PutRolePolicy on resource: role x \
             because no permissions boundary allows the iam:PutRolePolicy action",
            Failure::Denied,
            "permissions_boundary",
        ),
        (
            "AccessDenied",
            "User: arn:aws:sts::123456789012:assumed-role/ci/x is not authorized to perform: s3:CreateBucket because no \
             session policy allows the s3:CreateBucket action",
            Failure::Denied,
            "assume the role",
        ),
        (
            "AccessDenied",
            "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: iam:CreateRole on resource: \
             arn:aws:iam::123456789012:role/x because no identity-based policy allows the iam:CreateRole action",
            Failure::Denied,
            "`peersync-deploy policy` prints",
        ),
        (
            "AccessDenied",
            "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::x\" \
             with an explicit deny in an identity-based policy",
            Failure::Denied,
            "explicitly",
        ),
        (
            "AuthFailure",
            "AWS was not able to validate the provided access credentials",
            Failure::Credentials,
            "AWS_PROFILE",
        ),
        (
            "AuthFailure",
            "You do not have permission to access the specified resource.",
            Failure::Denied,
            "owns this address",
        ),
        (
            "RegionDisabledException",
            "STS is not activated in this region for account:123456789012. Your account administrator can activate STS in \
             this region using the IAM Console.",
            Failure::Other,
            "enable it",
        ),
        (
            "InvalidClientTokenId",
            "The security token included in the request is invalid",
            Failure::Credentials,
            "has not enabled",
        ),
        (
            "LimitExceededException",
            "Resource limit exceeded: you have reached the maximum number of log groups.",
            Failure::Other,
            "Service Quotas",
        ),
        (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            Failure::Credentials,
            "has not enabled",
        ),
        (
            "PendingVerification",
            "Your request for accessing resources in this region is being validated, and you will not be able to launch \
             additional resources in this region until the validation is complete.",
            Failure::Other,
            "four hours",
        ),
        (
            "OptInRequired",
            "You are not subscribed to this service. Please go to http://aws.amazon.com to subscribe.",
            Failure::Other,
            "enabled",
        ),
        (
            "TooManyResponseHeadersPolicies",
            "You have exceeded the maximum number of response headers policies for this AWS account.",
            Failure::Other,
            "Service Quotas",
        ),
        (
            "VcpuLimitExceeded",
            "You have requested more vCPU capacity than your current vCPU limit of 5 allows for the instance bucket that the \
             specified instance type belongs to.",
            Failure::Other,
            "Service Quotas",
        ),
        ("AddressLimitExceeded", "The maximum number of addresses has been reached.", Failure::Other, "Service Quotas"),
    ];

    #[test]
    fn each_text_of_aws_gets_advice_that_can_help() {
        for (code, message, failure, advice) in SENT {
            let error = advise(ResourceError::new("failed"), code, message);
            let hint = error.hint.unwrap_or_default();
            assert_eq!(error.failure, *failure, "{message}");
            assert!(hint.contains(advice), "{message}\n{hint}");
        }
    }

    #[test]
    fn what_no_permission_replaces_does_not_send_people_for_permissions() {
        let is_final = |message: &str| message.contains("verified") || message.contains("the specified resource");
        for (code, message, _, _) in SENT.iter().filter(|(_, message, ..)| is_final(message)) {
            let hint = advise(ResourceError::new("failed"), code, message).hint.unwrap_or_default();
            assert!(!hint.contains("give your role"), "{hint}");
        }
    }
}
