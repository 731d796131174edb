//! `up`.

use super::{CommandError, Context, Exit};
use crate::cli::UpArgs;

/// Runs the command.
///
/// # Errors
/// Not written yet.
pub async fn run(_: &Context, _: &UpArgs) -> Result<Exit, CommandError> {
    Err(CommandError::new("`up` is not there yet"))
}
