//! `graph`.

use super::{CommandError, Context, Exit};
use crate::cli::GraphArgs;

/// Runs the command.
///
/// # Errors
/// Not written yet.
pub async fn run(_: &Context, _: &GraphArgs) -> Result<Exit, CommandError> {
    Err(CommandError::new("`graph` is not there yet"))
}
