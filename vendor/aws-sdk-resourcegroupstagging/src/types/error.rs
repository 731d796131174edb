// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub use crate::types::error::_internal_service_exception::InternalServiceException;

pub use crate::types::error::_invalid_parameter_exception::InvalidParameterException;

pub use crate::types::error::_throttled_exception::ThrottledException;

pub use crate::types::error::_pagination_token_expired_exception::PaginationTokenExpiredException;

mod _internal_service_exception;

mod _invalid_parameter_exception;

mod _pagination_token_expired_exception;

mod _throttled_exception;

/// Builders
pub mod builders;
