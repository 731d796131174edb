//! The run of one test, with all rules or without one.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::build::Programs;
use super::list::{Rule, Test};
use super::log_folder;
use crate::error::{At as _, Error};
use crate::process::{Ended, run_into};
use crate::suites::environment;
use crate::totals::Totals;
use crate::workspace::root;

/// The deadline of a test. One that is still running waits for what never comes, which is a failure too: with all rules
/// each of them ends within a minute.
const DEADLINE: Duration = Duration::from_secs(240);
/// The environment variable that switches a rule off, as in `crates/engine/src/rule.rs`.
const WITHOUT: &str = "PEERSYNC_WITHOUT_RULE";

/// A test, and the rule that it runs without.
pub(super) struct Trial {
    /// The name of the rule; empty if all rules are on.
    pub(super) name: String,
    /// The test.
    pub(super) test: Test,
    /// The file with its output.
    pub(super) log: PathBuf,
}

/// The result of a trial.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The test failed.
    Needed,
    /// The test passed.
    Passed,
    /// The test did not run.
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
    /// A test with all rules on.
    pub(super) fn with_all_rules(test: &Test) -> Self {
        let log = log_folder().join(format!("all-{test}.log").replace(':', "-"));
        Self { name: String::new(), test: test.clone(), log }
    }

    /// The test of a rule without it.
    pub(super) fn without(rule: &Rule) -> Self {
        let log = log_folder().join(format!("{}.log", rule.name));
        Self { name: rule.name.clone(), test: rule.test.clone(), log }
    }

    /// Runs the test.
    pub(super) fn run(&self, programs: &Programs) -> Result<Verdict, Error> {
        fs::write(&self.log, "").at(&self.log)?;
        let ended = run_into(&mut self.command(programs)?, &self.log, DEADLINE)?;
        let output = fs::read(&self.log).at(&self.log)?;
        let totals = Totals::read(&String::from_utf8_lossy(&output));
        Ok(verdict(&ended, totals)
            .unwrap_or_else(|| Verdict::Broken(format!("the test did not run: see {}", self.log.display()))))
    }

    fn command(&self, programs: &Programs) -> Result<Command, Error> {
        let (program, folder, test) = match &self.test {
            Test::Suite(name) => (programs.suites.as_path(), root().join("tests"), name),
            Test::Unit { package, path } => {
                let (program, folder) = programs.unit(package)?;
                (program, folder.to_owned(), path)
            }
        };
        let mut command = Command::new(program);
        command.args(["--exact", test]).current_dir(folder);
        environment(&mut command);
        command.env("PEERSYNC_DEPLOY", &programs.deployer).env_remove(WITHOUT);
        if !self.name.is_empty() {
            command.env(WITHOUT, &self.name);
        }
        Ok(command)
    }
}

/// The verdict on a test that has ended; `None` if it did not run.
fn verdict(ended: &Ended, totals: Totals) -> Option<Verdict> {
    match (ended, totals) {
        (Ended::Deadline, _) | (_, Totals { failed: 1, .. }) => Some(Verdict::Needed),
        (_, Totals { passed: 1, .. }) => Some(Verdict::Passed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn a_test_that_fails_or_never_ends_needs_the_rule() {
        let ended = Ended::By(ExitStatus::from_raw(0));
        let totals = |passed, failed| Totals { passed, failed, skipped: 0 };
        assert_eq!(verdict(&Ended::Deadline, totals(0, 0)), Some(Verdict::Needed));
        assert_eq!(verdict(&ended, totals(0, 1)), Some(Verdict::Needed));
        assert_eq!(verdict(&ended, totals(1, 0)), Some(Verdict::Passed));
        assert_eq!(verdict(&ended, totals(0, 0)), None);
    }
}
