//! `outputs`.

use super::{CommandError, Context, Exit};
use crate::cli::OutputsArgs;

/// Runs the command.
///
/// # Errors
/// Not written yet.
pub async fn run(_: &Context, _: &OutputsArgs) -> Result<Exit, CommandError> {
    Err(CommandError::new("`outputs` is not there yet"))
}
