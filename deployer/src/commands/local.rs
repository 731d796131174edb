//! `local`.

use super::{CommandError, Context, Exit};
use crate::cli::LocalArgs;

/// Runs the command.
///
/// # Errors
/// Not written yet.
pub async fn run(_: &Context, _: &LocalArgs) -> Result<Exit, CommandError> {
    Err(CommandError::new("`local` is not there yet"))
}
