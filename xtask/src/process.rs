//! Runs programs, with their output on the terminal or in a log, and with a deadline.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::{At as _, Error};

/// The interval at which a running program is checked.
const INTERVAL: Duration = Duration::from_millis(50);

/// Runs a program with its output on the terminal.
///
/// # Errors
/// If it cannot be started, or fails.
pub fn run(command: &mut Command) -> Result<(), Error> {
    let status = command.status().map_err(|source| cannot_start(command, source))?;
    if status.success() { Ok(()) } else { Err(Error::Failed { what: line(command) }) }
}

/// Runs a program with its output in a file.
///
/// # Errors
/// If it cannot be started. A failure of the program is in the result.
pub fn run_into(command: &mut Command, log: &Path, deadline: Duration) -> Result<Ended, Error> {
    let file = File::options().create(true).append(true).open(log).at(log)?;
    let errors = file.try_clone().at(log)?;
    command.stdin(Stdio::null()).stdout(file).stderr(errors);
    let mut child = command.spawn().map_err(|source| cannot_start(command, source))?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(|source| cannot_start(command, source))? {
            return Ok(Ended::By(status));
        }
        if started.elapsed() > deadline {
            end(&mut child);
            return Ok(Ended::Deadline);
        }
        sleep(INTERVAL);
    }
}

/// How a program ended.
pub enum Ended {
    /// By itself, with this status.
    By(ExitStatus),
    /// It ran until its deadline and was killed.
    Deadline,
}

impl Ended {
    /// Whether it succeeded.
    pub fn well(&self) -> bool {
        matches!(self, Self::By(status) if status.success())
    }
}

/// Returns the command line, for messages.
pub fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn cannot_start(command: &Command, source: std::io::Error) -> Error {
    Error::Start { program: command.get_program().to_string_lossy().into_owned(), source }
}

/// Kills a program and all processes that it started.
fn end(child: &mut Child) {
    let mut doomed = vec![child.id()];
    let mut next = 0;
    while let Some(parent) = doomed.get(next).copied() {
        doomed.extend(children(parent));
        next += 1;
    }
    for id in doomed {
        // It may have ended in the meantime.
        let _ = Command::new("kill").args(["-KILL", &id.to_string()]).stderr(Stdio::null()).status();
    }
    let _ = child.wait();
}

fn children(parent: u32) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| parent_of(*id) == Some(parent)).collect()
}

fn parent_of(id: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}
