//! Developer commands: `cargo xtask test`, `tidy`, `new-resource`, `new-route`, `rules`, `versions`, `dist`, `bench`,
//! `trim-sdk` and `try`.

mod bench;
mod built;
mod dist;
mod error;
mod excerpt;
mod process;
mod rules;
mod skeleton;
mod suites;
mod test;
mod tidy;
mod tools;
mod totals;
mod trim_sdk;
mod try_it;
mod versions;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::error::Error;

/// Developer commands of PeerSync.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run all checks and tests; sets up what they need.
    Test(test::Options),
    /// Check what the compiler does not: layers of modules, names, lengths and words.
    Tidy(tidy::Options),
    /// Write the beginning of a new kind of resource, and print what is left to do.
    NewResource(skeleton::NewResource),
    /// Write the beginning of a new route of the API, and print what is left to do.
    NewRoute(skeleton::NewRoute),
    /// Switch off the deployer's rules of waiting and order one by one, and check that a test fails without each.
    Rules(rules::Options),
    /// Check that no advisory warns of a version in Cargo.lock or of a program that a host fetches.
    Versions(versions::Options),
    /// Build the release: the deployer with the server programs for Amazon Linux 2023 inside.
    Dist,
    /// Run a benchmark and print its numbers.
    Bench {
        /// What to measure.
        what: Bench,
        /// Arguments of the benchmark itself.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Write `vendor/`: copies of SDK crates with only the operations that the project calls.
    TrimSdk,
    /// Start MiniStack, deploy the stack onto it, and keep it until Ctrl-C.
    Try,
}

#[derive(Clone, Copy, ValueEnum)]
enum Bench {
    /// `up`, a second `up`, `plan` and `down`, compared with a sequential script.
    Deploy,
    /// The functions' program, compared with a Python handler.
    Api,
    /// `local`: the time until it is ready, its memory, and the time until a saved page reloads.
    Local,
    /// The signaling server under load, compared with other relays.
    Signal,
    /// The relay under load, compared with coturn.
    Relay,
    /// Calls in browsers, and the scores of the pages in Lighthouse.
    Call,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::Test(options) => test::run(&options),
        Command::Tidy(options) => tidy::run(&options),
        Command::NewResource(new) => new.run().map(|()| ExitCode::SUCCESS),
        Command::NewRoute(new) => new.run().map(|()| ExitCode::SUCCESS),
        Command::Rules(options) => rules::run(&options),
        Command::Versions(options) => versions::run(&options),
        Command::Dist => dist::run().map(|()| ExitCode::SUCCESS),
        Command::Bench { what, arguments } => bench::run(what, &arguments),
        Command::TrimSdk => trim_sdk::run().map(|()| ExitCode::SUCCESS),
        Command::Try => try_it::run(),
    }
}
