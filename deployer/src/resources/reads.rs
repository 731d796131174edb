//! What resources of several kinds look at: read once for the graph that they belong to.

use aws_sdk_ec2::types::Address as ElasticAddress;

use super::rest_api;
use super::s3_bucket::Whose;
use crate::engine::SharedRead;

/// The reads that one graph shares. Only [`observe`](crate::engine::Resource::observe) asks them: they tell how it was.
#[derive(Debug, Default)]
pub struct SharedReads {
    /// Whose the bucket is, for everything in it.
    pub(super) bucket: SharedRead<Whose>,
    /// The REST API, for its routes and its stage.
    pub(super) rest_api: SharedRead<Option<rest_api::Found>>,
    /// The stack's addresses, for the host that has one.
    pub(super) addresses: SharedRead<Vec<ElasticAddress>>,
}
