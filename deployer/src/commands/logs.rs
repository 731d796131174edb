//! `logs`.

use super::{CommandError, Context, Exit};
use crate::cli::LogsArgs;

/// Runs the command.
///
/// # Errors
/// Not written yet.
pub async fn run(_: &Context, _: &LogsArgs) -> Result<Exit, CommandError> {
    Err(CommandError::new("`logs` is not there yet"))
}
