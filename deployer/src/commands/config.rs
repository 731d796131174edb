//! `config check`, `config schema`, `config show`.

use super::{CommandError, Context, Exit};
use crate::cli::ConfigCommand;

/// Runs the command.
///
/// # Errors
/// Not written yet.
pub async fn run(_: &Context, _: &ConfigCommand) -> Result<Exit, CommandError> {
    Err(CommandError::new("`config` is not there yet"))
}
