//! `doctor`.

use super::{CommandError, Context, Exit};
use crate::cli::DoctorArgs;

/// Runs the command.
///
/// # Errors
/// Not written yet.
pub async fn run(_: &Context, _: &DoctorArgs) -> Result<Exit, CommandError> {
    Err(CommandError::new("`doctor` is not there yet"))
}
