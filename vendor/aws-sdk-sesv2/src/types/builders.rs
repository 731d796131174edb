// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub use crate::types::_email_content::EmailContentBuilder;

pub use crate::types::_email_template_content::EmailTemplateContentBuilder;

pub use crate::types::_configuration_overrides::ConfigurationOverridesBuilder;

pub use crate::types::_destination::DestinationBuilder;

pub use crate::types::_list_management_options::ListManagementOptionsBuilder;

pub use crate::types::_message::MessageBuilder;

pub use crate::types::_raw_message::RawMessageBuilder;

pub use crate::types::_template::TemplateBuilder;

pub use crate::types::_message_tag::MessageTagBuilder;

pub use crate::types::_tracking_configuration_overrides::TrackingConfigurationOverridesBuilder;

pub use crate::types::_content::ContentBuilder;

pub use crate::types::_body::BodyBuilder;

pub use crate::types::_message_header::MessageHeaderBuilder;

pub use crate::types::_attachment::AttachmentBuilder;
