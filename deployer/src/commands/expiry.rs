//! The expiry that `up` and `plan` are given, by `--expires` or the configuration.

use std::time::SystemTime;

use super::{CommandError, Context};
use peersync_config::Expiry;

/// Checks that the expiry lies in the future, whoever sets it.
///
/// # Errors
/// It is in the past, or the stage is protected.
pub(super) fn check(context: &Context, flag: Option<&Expiry>) -> Result<(), CommandError> {
    match flag {
        Some(expires) => check_flag(expires, context.config()?.stack.protect),
        None => Ok(context.loaded()?.require_future_expiry(SystemTime::now())?),
    }
}

/// Checks an expiry from the command line as the configuration checks its own.
fn check_flag(expires: &Expiry, protect: bool) -> Result<(), CommandError> {
    if expires.is_past(SystemTime::now()) {
        return Err(CommandError::usage("the time given with `--expires` has passed")
            .caused_by(format!("{expires} is in the past"))
            .hint("give a later time, or a duration such as `--expires 48h`"));
    }
    if protect && *expires != Expiry::Never {
        return Err(CommandError::usage("a protected stage does not expire")
            .caused_by("`stack.protect` is true, and `--expires` is given")
            .hint("leave out `--expires`, or set `stack.protect = false`"));
    }
    Ok(())
}
