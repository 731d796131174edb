// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub use crate::types::_tag::Tag;

pub use crate::types::_subscription::Subscription;

pub use crate::types::_topic::Topic;

mod _subscription;

mod _tag;

mod _topic;

/// Builders
pub mod builders;

/// Error types that Amazon Simple Notification Service can respond with.
pub mod error;
