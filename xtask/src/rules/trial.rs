//! One test without one rule.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::list::{Rule, Test};
use super::log_folder;
use super::tree::Tree;
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

/// What is tried, and by which test.
enum Subject {
    /// A deployer, by a test of the suites.
    Deployer(PathBuf, String),
    /// The sources, all of them or without a rule, by a test that is among them.
    Sources(Option<Rule>, String),
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
    /// A test with all rules, which this deployer has.
    pub(super) fn whole(test: &Test, deployer: &Path) -> Self {
        let log = log_folder().join(format!("whole-{test}.log").replace(':', "-"));
        let subject = match test {
            Test::Suite(name) => Subject::Deployer(deployer.to_owned(), name.clone()),
            Test::Unit(name) => Subject::Sources(None, name.clone()),
        };
        Self { test: test.clone(), log, subject }
    }

    /// The test of this rule without it. What the test needs is built and kept under this name.
    pub(super) fn without(tree: &Tree, rule: &Rule, name: &str) -> Result<Self, Error> {
        let subject = match &rule.test {
            Test::Unit(test) => Subject::Sources(Some(rule.clone()), test.clone()),
            Test::Suite(test) => match tree.without(rule, name)? {
                Some(deployer) => Subject::Deployer(deployer, test.clone()),
                None => Subject::Nothing,
            },
        };
        Ok(Self { test: rule.test.clone(), log: log_folder().join(format!("{name}.log")), subject })
    }

    /// Removes the deployer that was built for it: each is large.
    pub(super) fn clean(&self) {
        if let Subject::Deployer(deployer, _) = &self.subject {
            // One that stays is overwritten by the next run.
            let _ = fs::remove_file(deployer);
        }
    }

    /// Runs the test.
    pub(super) fn run(&self, tree: &Tree, suites: &Path) -> Result<Verdict, Error> {
        fs::write(&self.log, "").at(&self.log)?;
        let ended = match &self.subject {
            Subject::Nothing => {
                return Ok(Verdict::Broken(format!("it does not build: see {}", super::tree::log().display())));
            }
            Subject::Deployer(deployer, test) => {
                let mut command = Command::new(suites);
                command.args(["--exact", test]).current_dir(root().join("tests"));
                environment(&mut command);
                command.env("PEERSYNC_DEPLOY", deployer);
                run_into(&mut command, &self.log, DEADLINE)?
            }
            Subject::Sources(rule, test) => {
                let run = || run_into(&mut tree.unit(test), &self.log, BUILD_DEADLINE);
                rule.as_ref().map_or_else(run, |rule| tree.with_sources_without(rule, run))?
            }
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
