// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub use crate::types::error::_bad_request_exception::BadRequestException;

pub use crate::types::error::_not_found_exception::NotFoundException;

pub use crate::types::error::_too_many_requests_exception::TooManyRequestsException;

pub use crate::types::error::_limit_exceeded_exception::LimitExceededException;

pub use crate::types::error::_account_suspended_exception::AccountSuspendedException;

pub use crate::types::error::_mail_from_domain_not_verified_exception::MailFromDomainNotVerifiedException;

pub use crate::types::error::_message_rejected::MessageRejected;

pub use crate::types::error::_sending_paused_exception::SendingPausedException;

mod _account_suspended_exception;

mod _bad_request_exception;

mod _limit_exceeded_exception;

mod _mail_from_domain_not_verified_exception;

mod _message_rejected;

mod _not_found_exception;

mod _sending_paused_exception;

mod _too_many_requests_exception;

/// Builders
pub mod builders;
