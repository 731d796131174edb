//! The objects in the bucket as S3 lists them.

use std::collections::BTreeMap;

use aws_sdk_s3::primitives::DateTime;

/// The objects in the bucket by key.
pub(super) type Listing = BTreeMap<String, Listed>;

/// An object as S3 lists it.
pub(super) struct Listed {
    /// The MD5 of its content.
    pub(super) entity_tag: String,
    pub(super) modified: Option<DateTime>,
}
