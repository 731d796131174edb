//! `teardown`.

use super::{CommandError, Context, Exit};
use crate::cli::TeardownArgs;

/// Runs the command.
///
/// # Errors
/// Not written yet.
pub async fn run(_: &Context, _: &TeardownArgs) -> Result<Exit, CommandError> {
    Err(CommandError::new("`teardown` is not there yet"))
}
