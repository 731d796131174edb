//! The program `peersync-deploy`.

use std::process::ExitCode;

use clap::Parser as _;
use peersync_deploy::cli::Cli;
use peersync_deploy::commands;

fn main() -> ExitCode {
    // Arguments are parsed before anything else is set up, so that `--version` and usage errors answer at once.
    commands::main(Cli::parse())
}
