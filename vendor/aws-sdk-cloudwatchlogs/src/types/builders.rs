// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub use crate::types::_entity::EntityBuilder;

pub use crate::types::_rejected_log_events_info::RejectedLogEventsInfoBuilder;

pub use crate::types::_rejected_entity_info::RejectedEntityInfoBuilder;

pub use crate::types::_log_group::LogGroupBuilder;

pub use crate::types::_log_stream::LogStreamBuilder;

pub use crate::types::_metric_filter::MetricFilterBuilder;

pub use crate::types::_filtered_log_event::FilteredLogEventBuilder;

pub use crate::types::_searched_log_stream::SearchedLogStreamBuilder;

pub use crate::types::_input_log_event::InputLogEventBuilder;

pub use crate::types::_metric_transformation::MetricTransformationBuilder;
