// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub use crate::types::_tag_filter::TagFilterBuilder;

pub use crate::types::_resource_tag_mapping::ResourceTagMappingBuilder;

pub use crate::types::_compliance_details::ComplianceDetailsBuilder;

pub use crate::types::_tag::TagBuilder;
