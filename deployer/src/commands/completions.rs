//! `completions`.

use super::{CommandError, Context, Exit};
use crate::cli::CompletionsArgs;

/// Runs the command.
///
/// # Errors
/// Not written yet.
pub async fn run(_: &Context, _: &CompletionsArgs) -> Result<Exit, CommandError> {
    Err(CommandError::new("`completions` is not there yet"))
}
