//! The AWS services that PeerSync uses: one table, from which the clients, the probe of an emulator, and in the tests
//! the census of an account and the proxy are derived.
//!
//! A new service needs one entry in the table and its SDK crate in `Cargo.toml`. Tests fail until the tests' census
//! lists what it keeps and their proxy understands its requests.

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// The prefix of its actions in IAM policies, as in `logs:CreateLogGroup`; by it the services are told apart.
    pub prefix: &'static str,
    /// The name in the signatures of its requests, and in the lists of some emulators.
    pub signing_name: &'static str,
    /// Whether it keeps resources, so that something of it could be left after a stack was removed.
    pub keeps_resources: bool,
}

/// Hands the table to another macro.
///
/// Each entry has the field of [`Clients`](crate::Clients), the SDK crate, and:
///
/// - `prefix`, `signing_name`, `keeps_resources`: as in [`Service`];
/// - `probe`: a harmless request, from whose answer an emulator's lack of the service shows; `none` if none is needed;
/// - `config`, if the client needs a setting: it is given the settings, and whether the endpoint is one other than AWS.
macro_rules! for_each_service {
    ($then:ident) => {
        $then! {
            /// API Gateway, REST APIs.
            api_gateway: aws_sdk_apigateway {
                prefix: "apigateway",
                signing_name: "apigateway",
                keeps_resources: true,
                probe: { |client| client.get_rest_apis().limit(1) },
            }
            /// CloudFront.
            cloudfront: aws_sdk_cloudfront {
                prefix: "cloudfront",
                signing_name: "cloudfront",
                keeps_resources: true,
                probe: { |client| client.list_distributions().max_items(1) },
            }
            /// CloudWatch: alarms and dashboards.
            cloudwatch: aws_sdk_cloudwatch {
                prefix: "cloudwatch",
                signing_name: "monitoring",
                keeps_resources: true,
                probe: { |client| client.describe_alarms().max_records(1) },
            }
            /// CloudWatch Logs.
            logs: aws_sdk_cloudwatchlogs {
                prefix: "logs",
                signing_name: "logs",
                keeps_resources: true,
                probe: { |client| client.describe_log_groups().limit(1) },
            }
            /// DynamoDB.
            dynamodb: aws_sdk_dynamodb {
                prefix: "dynamodb",
                signing_name: "dynamodb",
                keeps_resources: true,
                probe: { |client| client.list_tables().limit(1) },
            }
            /// EC2.
            ec2: aws_sdk_ec2 {
                prefix: "ec2",
                signing_name: "ec2",
                keeps_resources: true,
                probe: { |client| client.describe_security_groups() },
            }
            /// IAM.
            iam: aws_sdk_iam {
                prefix: "iam",
                signing_name: "iam",
                keeps_resources: true,
                probe: { |client| client.list_roles().max_items(1) },
            }
            /// Lambda.
            lambda: aws_sdk_lambda {
                prefix: "lambda",
                signing_name: "lambda",
                keeps_resources: true,
                probe: { |client| client.list_functions().max_items(1) },
            }
            /// S3, with path-style URLs if the endpoint is not that of AWS.
            s3: aws_sdk_s3 {
                prefix: "s3",
                signing_name: "s3",
                keeps_resources: true,
                probe: { |client| client.list_buckets() },
                config: { |config, other_endpoint| config.force_path_style(other_endpoint) },
            }
            /// Service Quotas: what the account may have. Nothing depends on its answers but warnings.
            service_quotas: aws_sdk_servicequotas {
                prefix: "servicequotas",
                signing_name: "servicequotas",
                keeps_resources: false,
                probe: none,
            }
            /// Simple Notification Service: the topic for alarms.
            sns: aws_sdk_sns {
                prefix: "sns",
                signing_name: "sns",
                keeps_resources: true,
                probe: { |client| client.list_topics() },
            }
            /// Systems Manager: parameters.
            ssm: aws_sdk_ssm {
                prefix: "ssm",
                signing_name: "ssm",
                keeps_resources: true,
                probe: { |client| client.describe_parameters().max_results(1) },
            }
            /// Resource Groups Tagging: the index of tags. Without it, each resource is asked.
            tagging: aws_sdk_resourcegroupstagging {
                prefix: "tag",
                signing_name: "tagging",
                keeps_resources: false,
                probe: none,
            }
            /// Security Token Service: the caller's identity, which is the first call of every run.
            sts: aws_sdk_sts {
                prefix: "sts",
                signing_name: "sts",
                keeps_resources: false,
                probe: none,
            }
        }
    };
}
pub(crate) use for_each_service;

macro_rules! services {
    ($(
        $(#[$doc:meta])*
        $field:ident: $sdk:ident {
            prefix: $prefix:literal,
            signing_name: $signing_name:literal,
            keeps_resources: $keeps_resources:literal,
            $($rest:tt)*
        }
    )*) => {
        /// All services, in the order of their clients.
        pub const SERVICES: &[Service] = &[$(
            Service { prefix: $prefix, signing_name: $signing_name, keeps_resources: $keeps_resources },
        )*];
    };
}
for_each_service!(services);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_of_services_are_unique() {
        let prefixes: BTreeSet<_> = SERVICES.iter().map(|service| service.prefix).collect();
        let signing_names: BTreeSet<_> = SERVICES.iter().map(|service| service.signing_name).collect();
        assert_eq!((prefixes.len(), signing_names.len()), (SERVICES.len(), SERVICES.len()));
    }

    /// Each SDK crate of the manifest belongs to a service, so that none is used past the table.
    #[test]
    fn every_sdk_crate_is_in_the_table() {
        macro_rules! crates {
            ($($(#[$doc:meta])* $field:ident: $sdk:ident { $($rest:tt)* })*) => { [$(stringify!($sdk)),*] };
        }
        let table: BTreeSet<String> = for_each_service!(crates).iter().map(|sdk| sdk.replace('_', "-")).collect();
        let manifest = include_str!("../Cargo.toml").lines();
        let manifest = manifest.filter_map(|line| line.split('.').next().filter(|name| name.starts_with("aws-sdk-")));
        assert_eq!(table, manifest.map(str::to_owned).collect());
    }
}
