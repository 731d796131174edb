//! One test without one rule.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::list::{Rule, Test};
use super::log_folder;
use super::tree::{Built, Tree};
use crate::error::{At as _, Error};
use crate::process::{Ended, line, run_into};
use crate::suites::{cargo, environment};
use crate::totals::Totals;
use crate::workspace::root;

/// When a test is given up. One that goes on is waiting for what never comes, which is a failure too: each of them ends
/// within a minute where nothing is missing.
const DEADLINE: Duration = Duration::from_secs(240);
/// When a test that must be built first is given up.
const BUILD_DEADLINE: Duration = Duration::from_secs(30 * 60);

/// A test and what it is run with.
pub(super) struct Trial {
    /// The test.
    pub(super) test: Test,
    /// Its output.
    pub(super) log: PathBuf,
    subject: Subject,
}

/// What is tried.
enum Subject {
    /// This deployer.
    Deployer(PathBuf),
    /// The sources without this rule, by a test that is among them.
    Sources(Rule),
    /// Nothing: it does not build.
    Nothing,
}

/// What became of a trial.
pub(super) enum Verdict {
    /// The test failed.
    Needed,
    /// The test passed.
    Passed,
    /// It could not be tried.
    Broken(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Needed => formatter.write_str("fails without it"),
            Self::Passed => formatter.write_str("PASSES WITHOUT IT"),
            Self::Broken(why) => write!(formatter, "NOT TRIED: {why}"),
        }
    }
}

impl Trial {
    /// A test with this deployer.
    pub(super) fn new(test: &Test, deployer: &Path, key: &str) -> Self {
        let log = log_folder().join(format!("{}.log", key.replace(':', "-")));
        Self { test: test.clone(), log, subject: Subject::Deployer(deployer.to_owned()) }
    }

    /// The test of this rule, with the deployer that was built without it.
    pub(super) fn without(rule: &Rule, built: Built, key: &str) -> Self {
        let log = log_folder().join(format!("{key}.log"));
        let subject = match (built, &rule.test) {
            (Built::Not, _) => Subject::Nothing,
            (Built::As(_), Test::Unit(_)) => Subject::Sources(rule.clone()),
            (Built::As(deployer), Test::Suite(_)) => Subject::Deployer(deployer),
        };
        Self { test: rule.test.clone(), log, subject }
    }

    /// Removes the deployer that was built for it: each is large.
    pub(super) fn clean(&self) {
        if let Subject::Deployer(deployer) = &self.subject {
            // One that stays is overwritten by the next run.
            let _ = fs::remove_file(deployer);
        }
    }

    /// Runs the test.
    pub(super) fn run(&self, tree: &Tree, suites: &Path) -> Result<Verdict, Error> {
        fs::write(&self.log, "").at(&self.log)?;
        let ended = match (&self.test, &self.subject) {
            (_, Subject::Nothing) => {
                return Ok(Verdict::Broken(format!("it does not build: see {}", super::tree::log().display())));
            }
            (Test::Suite(name), Subject::Deployer(deployer)) => {
                let mut command = Command::new(suites);
                command.args(["--exact", name]).current_dir(root().join("tests"));
                environment(&mut command);
                command.env("PEERSYNC_DEPLOY", deployer);
                run_into(&mut command, &self.log, DEADLINE)?
            }
            (Test::Unit(name), Subject::Sources(rule)) => {
                tree.with_sources_without(rule, || run_into(&mut tree.unit(name), &self.log, BUILD_DEADLINE))?
            }
            (Test::Unit(name), Subject::Deployer(_)) => run_into(&mut tree.unit(name), &self.log, BUILD_DEADLINE)?,
            (Test::Suite(_), Subject::Sources(_)) => return Ok(Verdict::Broken("it has no deployer".to_owned())),
        };
        let output = fs::read(&self.log).at(&self.log)?;
        let totals = Totals::read(&String::from_utf8_lossy(&output));
        Ok(match ended {
            Ended::Deadline => Verdict::Needed,
            Ended::By(_) if totals.failed == 1 => Verdict::Needed,
            Ended::By(_) if totals.passed == 1 => Verdict::Passed,
            Ended::By(_) => Verdict::Broken(format!("its test did not run: see {}", self.log.display())),
        })
    }
}

/// Builds the program of the suites, and returns where it is.
pub(super) fn suites() -> Result<PathBuf, Error> {
    let mut command = cargo(&["test", "--release", "--package", "peersync-tests", "--test", "suites", "--no-run"]);
    command.args(["--message-format", "json-render-diagnostics"]).stderr(std::process::Stdio::inherit());
    let output = command.output().map_err(|source| Error::Start { program: "cargo".to_owned(), source })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut programs = messages.filter(|message| message.pointer("/target/name").is_some_and(|name| name == "suites"));
    let program = programs.find_map(|message| message.get("executable")?.as_str().map(PathBuf::from));
    program.ok_or_else(|| Error::Failed { what: line(&command) })
}
