// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub use crate::types::error::_internal_service_exception::InternalServiceExceptionBuilder;

pub use crate::types::error::_invalid_parameter_exception::InvalidParameterExceptionBuilder;

pub use crate::types::error::_throttled_exception::ThrottledExceptionBuilder;

pub use crate::types::error::_pagination_token_expired_exception::PaginationTokenExpiredExceptionBuilder;
