// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub use crate::types::_email_content::EmailContent;

pub use crate::types::_email_template_content::EmailTemplateContent;

pub use crate::types::_configuration_overrides::ConfigurationOverrides;

pub use crate::types::_destination::Destination;

pub use crate::types::_list_management_options::ListManagementOptions;

pub use crate::types::_message::Message;

pub use crate::types::_raw_message::RawMessage;

pub use crate::types::_template::Template;

pub use crate::types::_feature_status::FeatureStatus;

pub use crate::types::_message_tag::MessageTag;

pub use crate::types::_tracking_configuration_overrides::TrackingConfigurationOverrides;

pub use crate::types::_content::Content;

pub use crate::types::_body::Body;

pub use crate::types::_message_header::MessageHeader;

pub use crate::types::_attachment::Attachment;

pub use crate::types::_attachment_content_disposition::AttachmentContentDisposition;

pub use crate::types::_attachment_content_transfer_encoding::AttachmentContentTransferEncoding;

mod _attachment;

mod _attachment_content_disposition;

mod _attachment_content_transfer_encoding;

mod _body;

mod _configuration_overrides;

mod _content;

mod _destination;

mod _email_content;

mod _email_template_content;

mod _feature_status;

mod _list_management_options;

mod _message;

mod _message_header;

mod _message_tag;

mod _raw_message;

mod _template;

mod _tracking_configuration_overrides;

/// Builders
pub mod builders;

/// Error types that Amazon Simple Email Service can respond with.
pub mod error;
