//! The benchmarks. Each is a program of its own, built with the release profile and run alone.

use std::process::{Command, ExitCode};

use crate::Bench;
use crate::dist;
use crate::error::Error;
use crate::process;
use crate::tools::{Tool, chromium, galene, python};
use crate::workspace::{builder, deployer, root, runtime_programs};

/// Builds the programs that a benchmark measures, and runs it.
///
/// # Errors
/// If something that the benchmark needs is missing, or if it fails.
pub fn run(what: Bench, arguments: &[String]) -> Result<ExitCode, Error> {
    let python = python()?;
    let mut build = builder("cargo");
    build.args(["build", "--release", "--package", "peersync-deploy", "--package", "peersync-runtime"]);
    build.args(["--package", "peersync-tests", "--bins"]);
    // Both measure what a release carries. A development build has no server programs, and packs them at each command.
    if matches!(what, Bench::Deploy | Bench::Api) {
        dist::runtime(dist::X86_64)?;
        build.env("PEERSYNC_RUNTIME_DIR", runtime_programs());
    }
    process::run(&mut build)?;
    let mut command = match what {
        Bench::Deploy => program("bench-deploy"),
        Bench::Api => program("bench-api"),
        Bench::Local => program("bench-local"),
        Bench::Signal => {
            Tool::Node.prepare()?;
            program("bench-signal")
        }
        Bench::Relay => {
            Tool::Coturn.prepare()?;
            program("bench-relay")
        }
        Bench::Call => {
            Tool::Node.prepare()?;
            Tool::Chromium.prepare()?;
            let mut command = Command::new("node");
            command.arg("tests/browser/bench/call.js").env("GALENE", galene()?);
            command
        }
    };
    command.args(arguments).current_dir(root());
    command.env("PEERSYNC_PYTHON", python).env("PEERSYNC_DEPLOY", deployer());
    command.env("PEERSYNC_RUNTIME_DIR", runtime_programs());
    if let Some(chromium) = chromium() {
        command.env("CHROMIUM", chromium);
    }
    process::run(&mut command).map(|()| ExitCode::SUCCESS)
}

fn program(name: &str) -> Command {
    Command::new(crate::workspace::release().join(name))
}
