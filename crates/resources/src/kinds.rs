//! The resource kinds: one file each, with one entry each in [`KINDS`]. The graph, the plan, the removal, the reports
//! and the IAM policy are derived from that registry.
//!
//! Each file has the same structure: the `KIND` with the permissions it needs and the instances that a stack has; a
//! struct; the implementation of [`Resource`](peersync_engine::Resource) in the order of the trait; helpers.

/// Converts tags to an SDK's type: to a `Vec` of them, or with `try` to a `Result`, for the SDKs whose builders check
/// them.
macro_rules! sdk_tags {
    (try $tag:ty, $tags:expr) => {
        $tags.iter().map(|(key, value)| <$tag>::builder().key(key).value(value).build()).collect::<Result<Vec<_>, _>>()
    };
    ($tag:ty, $tags:expr) => {
        $tags.iter().map(|(key, value)| <$tag>::builder().key(key).value(value).build()).collect::<Vec<_>>()
    };
}

/// Exchanges the tags of a resource: removes those that are no longer wanted, then puts the others. In this order an
/// exchange that was interrupted is continued, because the record of the tags, which is among those that are put, names
/// until then what is to be removed.
async fn exchange_tags<F: Future<Output = Result<(), ResourceError>>>(
    changes: &Changes,
    remove: impl FnOnce(Vec<String>) -> F,
    put: impl Future<Output = Result<(), ResourceError>>,
) -> Result<(), ResourceError> {
    if !changes.tags() {
        return Ok(());
    }
    let removed = changes.removed_tags();
    let removal = async { if removed.is_empty() { Ok(()) } else { remove(removed).await } };
    if rule!("tags-removed-before-record", true) {
        removal.await?;
        put.await
    } else {
        put.await?;
        removal.await
    }
}

pub mod alarm;
pub mod api_account;
pub mod api_routes;
pub mod api_stage;
mod bucket_files;
mod bucket_objects;
pub mod cloudflare;
mod cloudflare_places;
pub mod cloudflare_record;
pub mod cloudflare_tunnel;
pub mod cloudfront_distribution;
mod dashboard;
mod distributions;
pub mod dynamodb_table;
mod ec2;
pub mod elastic_ip;
pub mod iam_role;
pub mod instance_profile;
mod invalidation;
pub mod lambda_function;
mod lambda_permission;
pub mod log_group;
mod metric_filter;
mod origin_access_control;
pub mod parameter_store;
pub(crate) mod quota_reads;
mod response_headers_policy;
pub mod rest_api;
pub mod s3_bucket;
mod s3_bucket_policy;
pub mod s3_objects;
pub mod s3_program;
mod security_group;
pub mod signal_instance;
mod sns_topic;
pub mod ssm_parameter;
mod tag_index;

use std::sync::Arc;

use crate::permission::Permission;
use crate::search::Search;
use crate::stack::Stack;
use peersync_engine::{Changes, Resource, ResourceError, rule};

/// A kind of resource.
pub struct Kind {
    /// The name of the kind in addresses, such as `log_group`.
    pub name: &'static str,
    /// Returns the calls that the deployer makes for resources of this kind; the command `policy` prints them.
    pub permissions: fn(&Stack) -> Vec<Permission>,
    /// Returns the resources of this kind. It includes those that the configuration turns off, which are marked as such
    /// by [`Resource::enabled`](peersync_engine::Resource::enabled), so that they are found and deleted.
    pub instances: fn(&Arc<Stack>) -> Vec<Arc<dyn Resource>>,
    /// How resources of this kind are found without a configuration; `None` for kinds that cannot carry tags.
    pub search: Option<&'static dyn Search>,
}

/// What becomes of what was before, in an update of two steps ([`Resource::keeps_former`]).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Former {
    /// It stays beside the new.
    Kept,
    /// It goes.
    Removed,
}

/// All kinds. A new kind needs one file and one entry in this list.
pub const KINDS: &[Kind] = &[
    log_group::KIND,
    ssm_parameter::KIND,
    dynamodb_table::KIND,
    iam_role::KIND,
    instance_profile::KIND,
    rest_api::KIND,
    lambda_function::KIND,
    lambda_permission::KIND,
    api_account::KIND,
    api_routes::KIND,
    api_stage::KIND,
    alarm::KIND,
    cloudflare_record::KIND,
    cloudflare_tunnel::KIND,
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
    sns_topic::KIND,
];

#[cfg(test)]
mod order;
#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use peersync_config::Config;
    use peersync_engine::{Outputs, digest};

    #[tokio::test]
    async fn resources_carry_their_kind_name_and_digests_fit_in_a_tag() {
        let stack = Stack::for_tests(Config { stage: "test".to_owned(), ..Config::default() }).await;
        for kind in KINDS {
            for resource in (kind.instances)(&stack) {
                assert_eq!(resource.address().kind, kind.name);
                let fields = resource.desired(&Outputs::default());
                let names: BTreeSet<String> = fields.keys().map(|name| digest::name_hash(name)).collect();
                assert_eq!(
                    names.len(),
                    fields.len(),
                    "two fields of {} look the same in its digest",
                    resource.address()
                );
                let fields = fields.len();
                let fits = fields <= digest::MAXIMUM_FIELDS_OF_A_TAG || !resource.taggable();
                assert!(fits, "{} has {fields} fields", resource.address());
            }
        }
    }

    #[tokio::test]
    async fn registry_builds_a_graph() {
        let stack = Stack::for_tests(Config { stage: "test".to_owned(), ..Config::default() }).await;
        assert!(crate::catalog::graph(&stack).is_ok_and(|graph| graph.len() > KINDS.len()));
    }

    #[tokio::test]
    async fn policy_lets_a_stack_be_recognised_under_the_names_of_an_earlier_version() {
        let mut config = Config { stage: "test".to_owned(), ..Config::default() };
        config.stack.name = "peer-sync".to_owned();
        let stack = Stack::for_tests(config).await;
        let granted: Vec<String> =
            KINDS.iter().flat_map(|kind| (kind.permissions)(&stack)).flat_map(|one| one.resources).collect();
        for end in [":log-group:/peersync/peer-sync-test/signal", ":table/peer-sync-test-Users"] {
            assert!(granted.iter().any(|resource| resource.ends_with(end)), "{end}");
        }
    }

    /// `service:*` or `*` would grant more than any kind needs.
    #[tokio::test]
    async fn permissions_have_no_wildcard_actions() {
        let stack = Stack::for_tests(Config { stage: "test".to_owned(), ..Config::default() }).await;
        for kind in KINDS {
            for permission in (kind.permissions)(&stack) {
                assert!(permission.actions.iter().all(|action| !action.contains('*')), "{}", kind.name);
                assert!(!permission.resources.is_empty(), "{}", kind.name);
            }
        }
    }
}
