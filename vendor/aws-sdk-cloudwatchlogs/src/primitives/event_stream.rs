// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.
pub use ::aws_smithy_http::event_stream::EventStreamSender;
pub use ::aws_smithy_types::event_stream::Header;
pub use ::aws_smithy_types::event_stream::HeaderValue;
pub use ::aws_smithy_types::event_stream::Message;
pub use ::aws_smithy_types::str_bytes::StrBytes;
