//! The program `peersync-deploy`.

use std::process::ExitCode;

use clap::Parser as _;
use peersync_deploy::cli::Cli;
use peersync_deploy::commands;

fn main() -> ExitCode {
    // Parsed before anything else is made: `--version` and usage errors answer at once.
    commands::main(Cli::parse())
}
