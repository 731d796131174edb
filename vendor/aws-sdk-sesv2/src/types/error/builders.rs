// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub use crate::types::error::_bad_request_exception::BadRequestExceptionBuilder;

pub use crate::types::error::_not_found_exception::NotFoundExceptionBuilder;

pub use crate::types::error::_too_many_requests_exception::TooManyRequestsExceptionBuilder;

pub use crate::types::error::_limit_exceeded_exception::LimitExceededExceptionBuilder;

pub use crate::types::error::_account_suspended_exception::AccountSuspendedExceptionBuilder;

pub use crate::types::error::_mail_from_domain_not_verified_exception::MailFromDomainNotVerifiedExceptionBuilder;

pub use crate::types::error::_message_rejected::MessageRejectedBuilder;

pub use crate::types::error::_sending_paused_exception::SendingPausedExceptionBuilder;
