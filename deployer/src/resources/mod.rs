//! The resource kinds: one file each, and one line each in the registry below. The graph, the plan, destroy, the
//! reports and the policy follow from the registry.
//!
//! A file has a fixed anatomy: the `KIND` with the permissions that it needs and the instances that a stack has; a
//! struct; the implementation of [`Resource`](crate::engine::Resource) in the order of the trait; helpers.

pub mod api_routes;
pub mod api_stage;
pub mod dynamodb_table;
pub mod iam_role;
pub mod instance_profile;
mod log_group;
pub mod rest_api;
pub mod ssm_parameter;

use std::sync::Arc;

use crate::engine::Resource;
use crate::stack::Stack;

/// A kind of resource.
pub struct Kind {
    /// Its name in addresses, `log_group`.
    pub name: &'static str,
    /// Which calls the deployer makes for it, and on what; `policy` prints them.
    pub permissions: fn(&Stack) -> Vec<Permission>,
    /// The resources of this kind that a stack has. Those that the configuration turns off are among them and say so
    /// by [`Resource::wanted`](crate::engine::Resource::wanted), so that they are found and deleted.
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
    api_routes::KIND,
    api_stage::KIND,
];
