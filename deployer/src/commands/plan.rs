//! `plan`.

use super::{CommandError, Context, Exit};
use crate::cli::PlanArgs;

/// Runs the command.
///
/// # Errors
/// Not written yet.
pub async fn run(_: &Context, _: &PlanArgs) -> Result<Exit, CommandError> {
    Err(CommandError::new("`plan` is not there yet"))
}
