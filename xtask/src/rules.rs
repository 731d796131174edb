//! `cargo xtask rules`: switches off the rules of `tests/rules.toml` one by one, and checks that the test of each fails
//! without it.

mod build;
mod list;
mod trial;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use self::build::Programs;
use self::list::{Rule, Test};
use self::trial::{Trial, Verdict};
use crate::error::{At as _, Error};
use crate::tools::python;
use crate::workspace::logs;

/// How many tests run at once.
const AT_ONCE: usize = 2;

/// Which rules.
#[derive(clap::Args)]
pub struct Options {
    /// Only rules with one of these texts in their name.
    #[arg(value_name = "WORDS")]
    words: Vec<String>,
}

/// Runs the test of each rule without it.
///
/// # Errors
/// If the set-up fails, or a test fails with all rules on. A rule that no test needs is in the exit code.
pub fn run(options: &Options) -> Result<ExitCode, Error> {
    let rules = chosen(list::read()?, options);
    if rules.is_empty() {
        let words = options.words.join("`, `");
        return Err(Error::Missing(format!("no rule of {} has `{words}` in its name", list::FILE)));
    }
    python()?;
    fs::create_dir_all(log_folder()).at(log_folder())?;
    let tests: BTreeSet<&Test> = rules.iter().map(|rule| &rule.test).collect();
    let programs = Programs::build(&tests)?;
    with_all_rules(&programs, &tests, rules.len())?;
    let needed = without_each(&programs, &rules)?;
    println!("\n{} rules switched off, {needed} needed by their tests, {} not", rules.len(), rules.len() - needed);
    Ok(if needed == rules.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn chosen(rules: Vec<Rule>, options: &Options) -> Vec<Rule> {
    let matches =
        |rule: &Rule| options.words.is_empty() || options.words.iter().any(|word| rule.name.contains(word.as_str()));
    rules.into_iter().filter(matches).collect()
}

/// Runs every test with all rules on: one that fails anyway would prove nothing.
fn with_all_rules(programs: &Programs, tests: &BTreeSet<&Test>, rules: usize) -> Result<(), Error> {
    println!("{rules} rules; first their {} tests with all rules on", tests.len());
    let mut failing = Vec::new();
    in_turn(programs, tests.iter().map(|test| Trial::with_all_rules(test)), |trial, verdict| {
        if !matches!(verdict, Verdict::Passed) {
            failing.push(format!("{} (see {})", trial.test, trial.log.display()));
        }
    })?;
    if failing.is_empty() {
        return Ok(());
    }
    Err(Error::Missing(format!("these tests fail with all rules on: {}", failing.join(", "))))
}

/// Runs the test of each rule without it, and returns how many rules are needed.
fn without_each(programs: &Programs, rules: &[Rule]) -> Result<usize, Error> {
    let (mut needed, mut done) = (0, 0);
    in_turn(programs, rules.iter().map(Trial::without), |trial, verdict| {
        done += 1;
        needed += usize::from(matches!(verdict, Verdict::Needed));
        println!("{done:>3}/{}  {}\n         {}: {verdict}", rules.len(), trial.name, trial.test);
    })?;
    Ok(needed)
}

/// Runs the trials, some at once, and reports each as it ends.
fn in_turn(
    programs: &Programs,
    mut trials: impl Iterator<Item = Trial>,
    mut report: impl FnMut(&Trial, &Verdict),
) -> Result<(), Error> {
    thread::scope(|scope| {
        let (ended, ends) = mpsc::channel::<(Trial, Result<Verdict, Error>)>();
        let start = |trial: Trial| {
            let ended = ended.clone();
            scope.spawn(move || {
                let verdict = trial.run(programs);
                // The receiver is gone after another trial has failed to run.
                let _ = ended.send((trial, verdict));
            })
        };
        let mut running = trials.by_ref().take(AT_ONCE).map(start).count();
        while running > 0 {
            let Ok((trial, verdict)) = ends.recv() else { break };
            running -= 1;
            report(&trial, &verdict?);
            running += trials.next().map(start).iter().count();
        }
        Ok(())
    })
}

/// The folder with the output of the tests.
fn log_folder() -> PathBuf {
    logs().join("rules")
}
