//! The commands, one file each. A command takes the [`Context`] and its arguments, writes its data to stdout and
//! everything else to stderr, and returns its exit code.

mod adopt;
mod completions;
mod config;
mod confirm;
mod context;
mod doctor;
mod down;
mod error;
mod exit;
mod expiry;
mod graph;
mod interrupt;
mod lease;
mod list;
mod local;
mod local_down;
mod logs;
pub mod output;
mod outputs;
mod plan;
mod policy;
mod relay;
mod run;
mod secrets;
mod shell;
mod status;
mod teardown;
mod up;

pub use context::Context;
pub use error::CommandError;
pub use exit::Exit;

use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::report::Invocation;

/// Runs the command to its end, shows its error, and returns its exit code.
pub fn main(cli: Cli) -> ExitCode {
    let (form, given) = (cli.global.output, cli.global.clone());
    let options = context::with_stage_of_environment(given.clone()).unwrap_or(given).repeated();
    let exit = start(cli).unwrap_or_else(|error| {
        let error = error.completed(&Invocation::of_this_process(options));
        error.show(form);
        error.exit()
    });
    exit.into()
}

fn start(cli: Cli) -> Result<Exit, CommandError> {
    let context = Context::new(cli.global)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::new("failed to start the program's threads").caused_by(error))?;
    let result = runtime.block_on(run(&context, cli.command));
    // A task that still reads from the terminal or a socket must not keep the program from exiting.
    runtime.shutdown_background();
    result
}

async fn run(context: &Context, command: Command) -> Result<Exit, CommandError> {
    match command {
        Command::Up(args) => up::run(context, &args).await,
        Command::Plan(args) => plan::run(context, &args).await,
        Command::Down(args) => down::run(context, &args).await,
        Command::Teardown(args) => teardown::run(context, &args).await,
        Command::List(args) => list::run(context, &args).await,
        Command::Status(args) => status::run(context, &args).await,
        Command::Outputs(args) => outputs::run(context, &args).await,
        Command::Secrets(command) => secrets::run(context, &command).await,
        Command::Logs(args) => logs::run(context, &args).await,
        Command::Shell(args) => shell::run(context, &args).await,
        Command::Doctor(args) => doctor::run(context, &args).await,
        Command::Policy(args) => policy::run(context, &args).await,
        Command::Graph(args) => graph::run(context, &args).await,
        Command::Local(args) => local::run(context, &args).await,
        Command::Config(command) => config::run(context, &command).await,
        Command::Completions(args) => completions::run(context, &args).await,
    }
}
