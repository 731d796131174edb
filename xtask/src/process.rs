//! Programs that are run: to the terminal, or into a log with a deadline.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::{At as _, Error};

/// How often a running program is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Runs a program on the terminal.
///
/// # Errors
/// Where it cannot be started, or fails.
pub fn run(command: &mut Command) -> Result<(), Error> {
    let status = command.status().map_err(|source| cannot_start(command, source))?;
    if status.success() { Ok(()) } else { Err(Error::Failed { what: line(command) }) }
}

/// Runs a program with its output in a file.
///
/// # Errors
/// Where it cannot be started; a failure of the program is in the status.
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
        sleep(LOOK);
    }
}

/// How a program ended.
pub enum Ended {
    /// By itself.
    By(ExitStatus),
    /// It ran too long and was killed.
    Deadline,
}

impl Ended {
    /// Whether it ended well.
    pub fn well(&self) -> bool {
        matches!(self, Self::By(status) if status.success())
    }
}

/// The command line, for messages.
pub fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn cannot_start(command: &Command, source: std::io::Error) -> Error {
    Error::Start { program: command.get_program().to_string_lossy().into_owned(), source }
}

/// Kills a program and everything that it started.
fn end(child: &mut Child) {
    let mut doomed = vec![child.id()];
    let mut next = 0;
    while let Some(parent) = doomed.get(next).copied() {
        doomed.extend(children(parent));
        next += 1;
    }
    for id in doomed {
        // One that has ended meanwhile is no failure.
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
