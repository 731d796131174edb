//! `policy`.

use super::{CommandError, Context, Exit};
use crate::cli::PolicyArgs;

/// Runs the command.
///
/// # Errors
/// Not written yet.
pub async fn run(_: &Context, _: &PolicyArgs) -> Result<Exit, CommandError> {
    Err(CommandError::new("`policy` is not there yet"))
}
