//! `status`.

use super::{CommandError, Context, Exit};
use crate::cli::StatusArgs;

/// Runs the command.
///
/// # Errors
/// Not written yet.
pub async fn run(_: &Context, _: &StatusArgs) -> Result<Exit, CommandError> {
    Err(CommandError::new("`status` is not there yet"))
}
