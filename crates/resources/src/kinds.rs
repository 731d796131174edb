//! The resource kinds: one file each, and one line each in the registry below. The graph, the plan, destroy, the
//! reports and the policy follow from the registry.
//!
//! A file has a fixed anatomy: the `KIND` with the permissions that it needs and the instances that a stack has; a
//! struct; the implementation of [`Resource`](peersync_engine::Resource) in the order of the trait; helpers.

mod alarm;
pub mod api_routes;
pub mod api_stage;
pub mod cloudfront_distribution;
mod dashboard;
pub mod dynamodb_table;
mod ec2;
mod elastic_ip;
pub mod iam_role;
pub mod instance_profile;
mod invalidation;
pub mod lambda_function;
mod lambda_permission;
pub mod log_group;
mod metric_filter;
mod origin_access_control;
mod response_headers_policy;
pub mod rest_api;
mod s3_bucket;
mod s3_bucket_policy;
mod s3_objects;
pub mod s3_program;
mod security_group;
mod signal_instance;
pub mod ssm_parameter;

use std::sync::Arc;

use crate::stack::Stack;
use peersync_engine::Resource;

/// A kind of resource.
pub struct Kind {
    /// Its name in addresses, `log_group`.
    pub name: &'static str,
    /// Which calls the deployer makes for it, and on what; `policy` prints them.
    pub permissions: fn(&Stack) -> Vec<Permission>,
    /// The resources of this kind that a stack has. Those that the configuration turns off are among them and say so
    /// by [`Resource::wanted`](peersync_engine::Resource::wanted), so that they are found and deleted.
    pub instances: fn(&Arc<Stack>) -> Vec<Arc<dyn Resource>>,
}

/// Calls that the deployer makes, for its least-privilege policy.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Permission {
    /// The actions, `logs:CreateLogGroup`.
    pub actions: Vec<&'static str>,
    /// The ARNs, wildcards where AWS has no narrower form.
    pub resources: Vec<String>,
}

/// All kinds. A new kind is one file and one line here.
pub const KINDS: &[Kind] = &[
    log_group::KIND,
    ssm_parameter::KIND,
    dynamodb_table::KIND,
    iam_role::KIND,
    instance_profile::KIND,
    rest_api::KIND,
    lambda_function::KIND,
    lambda_permission::KIND,
    api_routes::KIND,
    api_stage::KIND,
    alarm::KIND,
    cloudfront_distribution::KIND,
    dashboard::KIND,
    elastic_ip::KIND,
    metric_filter::KIND,
    origin_access_control::KIND,
    response_headers_policy::KIND,
    s3_bucket::KIND,
    s3_bucket_policy::KIND,
    s3_objects::KIND,
    s3_program::KIND,
    security_group::KIND,
    signal_instance::KIND,
];

#[cfg(test)]
mod order;
#[cfg(test)]
mod tests {
    use super::*;
    use peersync_config::Config;
    use peersync_engine::{Outputs, digest};

    /// Kinds that keep their digest elsewhere than in a tag.
    const DIGEST_ELSEWHERE: &[&str] = &["s3_objects"];

    #[tokio::test]
    async fn every_kind_is_named_as_its_resources_are_and_its_digest_fits_into_a_tag() {
        let stack = Stack::for_tests(Config { stage: "test".to_owned(), ..Config::default() }).await;
        for kind in KINDS {
            for resource in (kind.instances)(&stack) {
                assert_eq!(resource.address().kind, kind.name);
                let fields = resource.desired(&Outputs::default()).len();
                let fits = fields <= digest::MAXIMUM_FIELDS_OF_A_TAG || DIGEST_ELSEWHERE.contains(&kind.name);
                assert!(fits, "{} has {fields} fields", resource.address());
            }
        }
    }

    #[tokio::test]
    async fn the_registry_makes_a_graph() {
        let stack = Stack::for_tests(Config { stage: "test".to_owned(), ..Config::default() }).await;
        assert!(crate::catalog::graph(&stack).is_ok_and(|graph| graph.len() > KINDS.len()));
    }

    /// `service:*` or a bare `*` would be more than a kind needs.
    #[tokio::test]
    async fn no_kind_asks_for_whole_services() {
        let stack = Stack::for_tests(Config { stage: "test".to_owned(), ..Config::default() }).await;
        for kind in KINDS {
            for permission in (kind.permissions)(&stack) {
                assert!(permission.actions.iter().all(|action| !action.contains('*')), "{}", kind.name);
                assert!(!permission.resources.is_empty(), "{}", kind.name);
            }
        }
    }
}
