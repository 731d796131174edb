//! `down`.

use super::{CommandError, Context, Exit};
use crate::cli::DownArgs;

/// Runs the command.
///
/// # Errors
/// Not written yet.
pub async fn run(_: &Context, _: &DownArgs) -> Result<Exit, CommandError> {
    Err(CommandError::new("`down` is not there yet"))
}
