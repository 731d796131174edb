// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub use crate::types::_log_group_class::LogGroupClass;

pub use crate::types::_order_by::OrderBy;

pub use crate::types::_entity::Entity;

pub use crate::types::_rejected_log_events_info::RejectedLogEventsInfo;

pub use crate::types::_rejected_entity_info::RejectedEntityInfo;

pub use crate::types::_log_group::LogGroup;

pub use crate::types::_log_stream::LogStream;

pub use crate::types::_metric_filter::MetricFilter;

pub use crate::types::_filtered_log_event::FilteredLogEvent;

pub use crate::types::_searched_log_stream::SearchedLogStream;

pub use crate::types::_input_log_event::InputLogEvent;

pub use crate::types::_entity_rejection_error_type::EntityRejectionErrorType;

pub use crate::types::_metric_transformation::MetricTransformation;

pub use crate::types::_data_protection_status::DataProtectionStatus;

pub use crate::types::_standard_unit::StandardUnit;

pub use crate::types::_inherited_property::InheritedProperty;

mod _data_protection_status;

mod _entity;

mod _entity_rejection_error_type;

mod _filtered_log_event;

mod _inherited_property;

mod _input_log_event;

mod _log_group;

mod _log_group_class;

mod _log_stream;

mod _metric_filter;

mod _metric_transformation;

mod _order_by;

mod _rejected_entity_info;

mod _rejected_log_events_info;

mod _searched_log_stream;

mod _standard_unit;

/// Builders
pub mod builders;

/// Error types that Amazon CloudWatch Logs can respond with.
pub mod error;
