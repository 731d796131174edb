//! `cargo xtask rules`: takes the rules of `tests/rules.toml` out of a copy of the sources, one by one, and sees that
//! the test of each fails without it.

mod list;
mod tree;
mod trial;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use self::list::{Rule, Test};
use self::tree::Tree;
use self::trial::{Trial, Verdict, suites};
use crate::error::{At as _, Error};
use crate::process;
use crate::suites::cargo;
use crate::tools::python;
use crate::workspace::{logs, target};

/// How many tests run beside a build. They wait most of the time.
const AT_ONCE: usize = 3;

/// Which rules.
#[derive(clap::Args)]
pub struct Options {
    /// Only rules with this text in their name or file; may be given several times.
    names: Vec<String>,
}

/// Takes the rules out.
///
/// # Errors
/// Where the set-up fails, or a test fails that has all rules. A rule that no test needs is in the exit code.
pub fn run(options: &Options) -> Result<ExitCode, Error> {
    let rules = chosen(list::read()?, options);
    if rules.is_empty() {
        let names = options.names.join("`, `");
        return Err(Error::Missing(format!("no rule of tests/rules.toml has `{names}` in its name or file")));
    }
    python()?;
    fs::create_dir_all(log_folder()).at(log_folder())?;
    process::run(&mut cargo(&["build", "--release", "--package", "peersync-deploy"]))?;
    let suites = suites()?;
    let tree = Tree::copy()?;
    tree.build()?;
    with_all_rules(&tree, &suites, &rules)?;
    let needed = without_each(&tree, &suites, &rules)?;
    println!("\n{} rules taken out, {needed} needed by their tests, {} not", rules.len(), rules.len() - needed);
    Ok(if needed == rules.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn chosen(rules: Vec<Rule>, options: &Options) -> Vec<Rule> {
    let named = |rule: &Rule| {
        let has = |name: &String| rule.name.contains(name.as_str()) || rule.file.contains(name.as_str());
        options.names.is_empty() || options.names.iter().any(has)
    };
    rules.into_iter().filter(named).collect()
}

/// Runs every test with all rules: one that fails anyway would show nothing.
fn with_all_rules(tree: &Tree, suites: &Path, rules: &[Rule]) -> Result<(), Error> {
    let tests: BTreeSet<&Test> = rules.iter().map(|rule| &rule.test).collect();
    println!("{} rules; first their {} tests with all of them", rules.len(), tests.len());
    let deployer = tree.keep("whole")?;
    let mut failing = Vec::new();
    let trials = tests.iter().map(|test| Ok((String::new(), Trial::whole(test, &deployer))));
    in_turn(tree, suites, trials, |_, trial, verdict| {
        if !matches!(verdict, Verdict::Passed) {
            failing.push(format!("{} (see {})", trial.test, trial.log.display()));
        }
    })?;
    if failing.is_empty() {
        return Ok(());
    }
    Err(Error::Missing(format!("these fail with all rules: {}", failing.join(", "))))
}

/// Takes out each rule, and returns how many are needed by their tests.
fn without_each(tree: &Tree, suites: &Path, rules: &[Rule]) -> Result<usize, Error> {
    let (mut needed, mut done) = (0, 0);
    let trials = rules
        .iter()
        .enumerate()
        .map(|(number, rule)| Ok((rule.name.clone(), Trial::without(tree, rule, &number.to_string())?)));
    in_turn(tree, suites, trials, |name, trial, verdict| {
        done += 1;
        needed += usize::from(matches!(verdict, Verdict::Needed));
        trial.clean();
        println!("{done:>3}/{}  {name}\n         {}: {verdict}", rules.len(), trial.test);
    })?;
    Ok(needed)
}

/// Makes the trials one after another, and runs some at once: a build needs the processor, a test waits.
fn in_turn(
    tree: &Tree,
    suites: &Path,
    trials: impl Iterator<Item = Result<(String, Trial), Error>>,
    mut tell: impl FnMut(&str, &Trial, &Verdict),
) -> Result<(), Error> {
    let mut trials = trials.fuse();
    thread::scope(|scope| {
        let (ended, ends) = mpsc::channel::<(String, Trial, Result<Verdict, Error>)>();
        let mut running = 0;
        loop {
            if running < AT_ONCE
                && let Some(made) = trials.next()
            {
                let (name, trial) = made?;
                let ended = ended.clone();
                scope.spawn(move || {
                    let verdict = trial.run(tree, suites);
                    // Nobody listens any more where another trial could not be made.
                    let _ = ended.send((name, trial, verdict));
                });
                running += 1;
                continue;
            }
            if running == 0 {
                return Ok(());
            }
            let Ok((name, trial, verdict)) = ends.recv() else { return Ok(()) };
            running -= 1;
            tell(&name, &trial, &verdict?);
        }
    })
}

/// Where the copy of the sources is.
fn folder() -> PathBuf {
    target().join("rules")
}

/// Where the output of the tests is.
fn log_folder() -> PathBuf {
    logs().join("rules")
}
