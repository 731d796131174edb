//! `local down`.
use super::{CommandError, Context, Exit};
use crate::cli::LocalDownArgs;

/// Removes what `local` made.
///
/// # Errors
/// To be written.
pub async fn run(_: &Context, _: &LocalDownArgs) -> Result<Exit, CommandError> {
    Err(CommandError::new("not there yet"))
}
