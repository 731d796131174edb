//! The command `completions`, which derives its scripts from the command line's definition.

use clap::CommandFactory as _;

use super::{CommandError, Context, Exit, output};
use crate::cli::{Cli, CompletionsArgs};

/// Prints the completion script for a shell.
///
/// # Errors
/// This command does not fail.
pub async fn run(_: &Context, args: &CompletionsArgs) -> Result<Exit, CommandError> {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    output::data(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
