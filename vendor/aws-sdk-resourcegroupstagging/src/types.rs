// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub use crate::types::_tag_filter::TagFilter;

pub use crate::types::_resource_tag_mapping::ResourceTagMapping;

pub use crate::types::_compliance_details::ComplianceDetails;

pub use crate::types::_tag::Tag;

mod _compliance_details;

mod _resource_tag_mapping;

mod _tag;

mod _tag_filter;

/// Builders
pub mod builders;

/// Error types that AWS Resource Groups Tagging API can respond with.
pub mod error;
