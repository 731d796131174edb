//! At what rates AWS takes requests: one table, by which the clients pace themselves and the tests' proxy refuses what is too
//! fast.
//!
//! All of these are per account and region, and token buckets: a full one takes `burst` requests at once, and refills by
//! `per_second`. AWS publishes the burst of few; where it does not, a burst is taken to be what one second allows.
//! For IAM, and for what others do not list, AWS publishes nothing; those are assumptions, and marked as such.

const API_GATEWAY: &str = "https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html";
const CLOUDFRONT_INVALIDATIONS: &str = "https://github.com/aws/aws-sdk-js/issues/3983";
const CLOUDWATCH: &str = "https://docs.aws.amazon.com/general/latest/gr/cw_region.html";
const DYNAMODB: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-control-plane.html";
const EC2: &str = "https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html";
const LAMBDA: &str = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html";
const LOGS: &str = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html";
const PARAMETERS: &str = "https://docs.aws.amazon.com/general/latest/gr/ssm.html";
const PUT_PARAMETER: &str = "https://github.com/github-aws-runners/terraform-aws-github-runner/issues/2944";
const S3: &str = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html";
const SNS: &str = "https://docs.aws.amazon.com/general/latest/gr/sns.html";
const STS: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html";
/// AWS publishes that there are buckets, and not how large they are.
const IAM: &str =
    "assumed; https://aws.amazon.com/blogs/security/how-to-monitor-and-query-iam-resources-at-scale-part-2/";
const ASSUMED: &str = "assumed";

/// Which requests draw from one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of the service together.
    Service,
    /// Those of these operations together.
    Together(&'static [&'static str]),
    /// Each of these operations by itself.
    Each(&'static [&'static str]),
    /// Those of all operations together that no other line of the service names.
    Others,
    /// Each operation by itself that no other line of the service names.
    EachOther,
}

impl Scope {
    /// Returns the operations that it names.
    fn named(self) -> &'static [&'static str] {
        match self {
            Self::Together(operations) | Self::Each(operations) => operations,
            Self::Service | Self::Others | Self::EachOther => &[],
        }
    }
}

/// The rate of some requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The service by its signing name.
    pub service: &'static str,
    /// Which of its requests.
    pub scope: Scope,
    /// How many requests a second refill.
    pub per_second: f64,
    /// How many requests are taken at once after a pause.
    pub burst: f64,
    /// Where AWS says so, or who else.
    pub source: &'static str,
}

/// The name of one bucket: its line in the table, and the operation if each has its own.
pub type BucketName = (usize, Option<String>);

/// Returns the buckets from which a request of this operation draws, the narrowest first.
pub fn buckets(service: &str, operation: &str) -> Vec<(BucketName, &'static Rate)> {
    let lines = || RATES.iter().enumerate().filter(|(_, rate)| rate.service == service);
    let is_named = lines().any(|(_, rate)| rate.scope.named().contains(&operation));
    let own = || Some(operation.to_owned());
    let mut found: Vec<_> = lines()
        .filter_map(|(line, rate)| match rate.scope {
            Scope::Each(operations) if operations.contains(&operation) => Some(((line, own()), rate)),
            Scope::Together(operations) if operations.contains(&operation) => Some(((line, None), rate)),
            Scope::EachOther if !is_named => Some(((line, own()), rate)),
            Scope::Others if !is_named => Some(((line, None), rate)),
            Scope::Service => Some(((line, None), rate)),
            _ => None,
        })
        .collect();
    found.sort_by_key(|(_, rate)| rate.scope == Scope::Service);
    found
}

const fn rate(service: &'static str, scope: Scope, per_second: f64, burst: f64, source: &'static str) -> Rate {
    Rate { service, scope, per_second, burst, source }
}

/// All rates.
pub const RATES: &[Rate] = &[
    rate("apigateway", Scope::Service, 10.0, 40.0, API_GATEWAY),
    rate("apigateway", Scope::Each(&["CreateResource", "DeleteResource", "GetResources"]), 5.0, 5.0, API_GATEWAY),
    // A regional API. For an edge-optimized one it is every 30 seconds.
    rate("apigateway", Scope::Each(&["CreateRestApi"]), 1.0 / 3.0, 1.0, API_GATEWAY),
    rate("apigateway", Scope::Each(&["CreateDeployment"]), 1.0 / 5.0, 1.0, API_GATEWAY),
    rate("apigateway", Scope::Each(&["PutRestApi"]), 1.0, 1.0, API_GATEWAY),
    rate("apigateway", Scope::Each(&["DeleteRestApi"]), 1.0 / 30.0, 1.0, API_GATEWAY),
    rate("apigateway", Scope::Each(&["UpdateAccount"]), 1.0 / 20.0, 1.0, API_GATEWAY),
    // By the answer of the service's team: 0.5 a second.
    rate("cloudfront", Scope::Each(&["CreateInvalidation"]), 0.5, 1.0, CLOUDFRONT_INVALIDATIONS),
    rate("cloudfront", Scope::EachOther, 10.0, 10.0, ASSUMED),
    // Per table and account: 2,500 a second for all operations on tables.
    rate("dynamodb", Scope::Service, 2_500.0, 2_500.0, DYNAMODB),
    rate("ec2", Scope::Each(EC2_READS), 20.0, 100.0, EC2),
    rate("ec2", Scope::Each(&["RunInstances"]), 2.0, 5.0, EC2),
    rate("ec2", Scope::Each(&["StartInstances"]), 2.0, 5.0, EC2),
    rate("ec2", Scope::Each(&["TerminateInstances"]), 5.0, 100.0, EC2),
    rate("ec2", Scope::Each(&["CreateTags", "DeleteTags"]), 10.0, 100.0, EC2),
    // "Mutating actions".
    rate("ec2", Scope::EachOther, 5.0, 50.0, EC2),
    rate("iam", Scope::EachOther, 10.0, 20.0, IAM),
    rate("lambda", Scope::Each(&["GetFunction"]), 100.0, 100.0, LAMBDA),
    rate("lambda", Scope::Each(&["GetPolicy"]), 15.0, 15.0, LAMBDA),
    rate("lambda", Scope::Others, 15.0, 15.0, LAMBDA),
    rate("logs", Scope::Each(&["CreateLogGroup", "DeleteLogGroup", "DescribeLogGroups"]), 10.0, 10.0, LOGS),
    rate("logs", Scope::Each(&["DescribeLogStreams"]), 25.0, 25.0, LOGS),
    // Filters, retention, tags, and the lines in the regions with the lowest rate.
    rate("logs", Scope::EachOther, 5.0, 5.0, LOGS),
    rate("monitoring", Scope::Each(&["DeleteAlarms", "PutMetricAlarm"]), 3.0, 3.0, CLOUDWATCH),
    rate("monitoring", Scope::Each(&["DescribeAlarms"]), 9.0, 9.0, CLOUDWATCH),
    rate("monitoring", Scope::Each(&["TagResource", "UntagResource"]), 20.0, 20.0, CLOUDWATCH),
    // Dashboards, and reading tags.
    rate("monitoring", Scope::EachOther, 10.0, 10.0, CLOUDWATCH),
    // Per prefix of a bucket: 3,500 a second that write, and more that read.
    rate("s3", Scope::Service, 3_500.0, 3_500.0, S3),
    rate("ssm", Scope::Together(&["GetParameter", "GetParameters", "GetParametersByPath"]), 40.0, 40.0, PARAMETERS),
    // Three a second by AWS Support; 20 at once were seen to pass (sudolabs-io/aws-ssm-cli#503).
    rate("ssm", Scope::Each(&["PutParameter"]), 3.0, 10.0, PUT_PARAMETER),
    rate("ssm", Scope::EachOther, 10.0, 10.0, ASSUMED),
    rate("servicequotas", Scope::EachOther, 5.0, 5.0, ASSUMED),
    // In the regions with the lowest rates; reading is faster.
    rate("sns", Scope::EachOther, 10.0, 10.0, SNS),
    rate("tagging", Scope::EachOther, 10.0, 10.0, ASSUMED),
    rate("sts", Scope::Service, 600.0, 600.0, STS),
];

/// What EC2 calls "non-mutating actions", as far as they are called.
const EC2_READS: &[&str] = &[
    "DescribeAddresses",
    "DescribeIamInstanceProfileAssociations",
    "DescribeImages",
    "DescribeInstanceAttribute",
    "DescribeInstanceCreditSpecifications",
    "DescribeInstanceStatus",
    "DescribeInstanceTypeOfferings",
    "DescribeInstances",
    "DescribeManagedPrefixLists",
    "DescribeRegions",
    "DescribeSecurityGroups",
    "DescribeSubnets",
    "DescribeVpcs",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::SERVICES;

    #[test]
    fn every_service_has_a_rate_for_every_operation() {
        for service in SERVICES {
            assert!(!buckets(service.signing_name, "AnyOperation").is_empty(), "{}", service.signing_name);
        }
        let known: BTreeSet<&str> = SERVICES.iter().map(|service| service.signing_name).collect();
        for rate in RATES {
            assert!(known.contains(rate.service), "{}", rate.service);
            assert!(rate.per_second > 0.0 && rate.burst >= 1.0, "{rate:?}");
            assert!(rate.source.starts_with("https://") || rate.source.starts_with(ASSUMED), "{rate:?}");
        }
    }

    #[test]
    fn operation_is_named_once() {
        for service in SERVICES {
            let mut named = BTreeSet::new();
            let lines = RATES.iter().filter(|rate| rate.service == service.signing_name);
            for operation in lines.flat_map(|rate| rate.scope.named()) {
                assert!(named.insert(operation), "{operation}");
            }
        }
    }

    #[test]
    fn request_draws_from_its_own_bucket_and_from_that_of_the_service() {
        let of = |service, operation| -> Vec<(Option<String>, f64)> {
            buckets(service, operation).into_iter().map(|((_, own), rate)| (own, rate.per_second)).collect()
        };
        let own = |operation: &str| Some(operation.to_owned());
        assert_eq!(of("apigateway", "CreateResource"), [(own("CreateResource"), 5.0), (None, 10.0)]);
        assert_eq!(of("apigateway", "PutMethod"), [(None, 10.0)]);
        assert_eq!(of("lambda", "GetFunction"), [(own("GetFunction"), 100.0)]);
        assert_eq!(of("lambda", "CreateFunction"), of("lambda", "AddPermission"));
        assert_eq!(of("ssm", "GetParameter"), [(None, 40.0)]);
        assert_eq!(of("iam", "GetRole"), [(own("GetRole"), 10.0)]);
        assert!(of("unknown", "GetRole").is_empty());
    }
}
