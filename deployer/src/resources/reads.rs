//! Reads that resources of several kinds share: each is sent once per graph.

use aws_sdk_ec2::types::Address as ElasticAddress;

use super::rest_api;
use super::s3_bucket::Whose;
use crate::engine::SharedRead;

/// The reads that one graph shares. Only [`observe`](crate::engine::Resource::observe) may use them: they can be stale.
#[derive(Debug, Default)]
pub struct SharedReads {
    /// The owner of the bucket, for everything that is stored in it.
    pub(super) bucket: SharedRead<Whose>,
    /// The REST API, for its routes and its API stage.
    pub(super) rest_api: SharedRead<Option<rest_api::Found>>,
    /// The stack's Elastic IP addresses, for the host that uses one.
    pub(super) addresses: SharedRead<Vec<ElasticAddress>>,
}
