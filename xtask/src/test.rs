//! `cargo xtask test`: sets up what the suites need, runs them, and counts their tests.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::dist;
use crate::error::{At as _, Error};
use crate::excerpt::excerpt;
use crate::process::{Ended, line, run_into};
use crate::suites::{Suite, Turn, Work, all, cargo, environment, impossible, suites_program};
use crate::tools::Tool;
use crate::totals::Totals;
use crate::workspace::{ci, logs, root};

/// The deadline of the build.
const BUILD_DEADLINE: Duration = Duration::from_secs(60 * 60);
/// The most suites at a time. Each has an emulator or a browser, which take some hundred megabytes.
const MOST_TOGETHER: usize = 4;

/// Which suites to run.
#[derive(clap::Args)]
pub struct Options {
    /// Run only these suites.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
    /// Run all but these suites.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    skip: Vec<String>,
    /// List the suites instead.
    #[arg(long)]
    list: bool,
}

/// How a suite ended.
enum Outcome {
    Passed(Totals),
    Failed(Totals, String),
    /// The reason, and whether that is acceptable in continuous integration.
    Skipped(String, bool),
}

/// Runs the suites.
///
/// # Errors
/// If a name is unknown, or the set-up fails. Failing suites are in the exit code.
pub fn run(options: &Options) -> Result<ExitCode, Error> {
    let suites = all()?;
    let known = |name: &&String| suites.iter().any(|suite| suite.name == **name);
    if let Some(unknown) = options.only.iter().chain(&options.skip).find(|name| !known(name)) {
        return Err(Error::Missing(format!("no suite is named `{unknown}`: `--list` shows all")));
    }
    if options.list {
        for suite in &suites {
            println!("{:18} {}", suite.name, suite.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    fs::create_dir_all(logs()).at(logs())?;
    let chosen = |suite: &Suite| {
        (options.only.is_empty() || options.only.contains(&suite.name)) && !options.skip.contains(&suite.name)
    };
    let chosen: Vec<Suite> = suites.into_iter().filter(chosen).collect();
    run_all(&chosen)
}

fn run_all(suites: &[Suite]) -> Result<ExitCode, Error> {
    let started = Instant::now();
    let run = Run::default();
    let of = |turn| suites.iter().filter(move |suite| suite.turn == turn);
    of(Turn::First).try_for_each(|suite| run.shown(suite))?;
    run.together(of(Turn::Together))?;
    of(Turn::Alone).try_for_each(|suite| run.shown(suite))?;
    println!("\n{} suites in {}", suites.len(), time(started.elapsed()));
    Ok(run.end())
}

/// A run of the suites.
#[derive(Default)]
struct Run {
    /// The program of the end-to-end tests, once everything is built.
    built: Mutex<Option<Result<PathBuf, String>>>,
    /// Held while a tool is installed.
    installing: Mutex<()>,
    ended: Mutex<Vec<(String, Outcome)>>,
}

impl Run {
    /// Runs a suite, and names it before.
    fn shown(&self, suite: &Suite) -> Result<(), Error> {
        print!("{:18} ", suite.name);
        // The terminal may be closed; the suites still run.
        let _ = std::io::stdout().flush();
        let began = Instant::now();
        let outcome = self.one(suite)?;
        report(suite, &outcome, began.elapsed());
        locked(&self.ended).push((suite.name.clone(), outcome));
        Ok(())
    }

    /// Runs these suites, some at a time: one more than there are processors, because they mostly wait.
    fn together<'a>(&self, suites: impl Iterator<Item = &'a Suite> + Send) -> Result<(), Error> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let queue = Mutex::new(suites);
        let work = || {
            // The lock is not held while the suite runs.
            while let Some(suite) = { locked(&queue).next() } {
                let began = Instant::now();
                let outcome = self.one(suite)?;
                let mut ended = locked(&self.ended);
                print!("{:18} ", suite.name);
                report(suite, &outcome, began.elapsed());
                ended.push((suite.name.clone(), outcome));
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..MOST_TOGETHER.min(processors + 1)).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| match worker.join() {
                Ok(ended) => ended,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    }

    /// Says how everything ended.
    fn end(self) -> ExitCode {
        let ended = self.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut totals = Totals::default();
        ended.iter().for_each(|(_, outcome)| totals += counts(outcome));
        let is_failure = |outcome: &Outcome| match outcome {
            Outcome::Failed(..) => true,
            Outcome::Skipped(_, excused) => !excused && ci(),
            Outcome::Passed(_) => false,
        };
        let failed: Vec<_> = ended.iter().filter(|(_, outcome)| is_failure(outcome)).collect();
        summarize(&failed);
        // A suite that could not run is a failure if everything must run.
        totals.failed = totals.failed.max(u64::try_from(failed.len()).unwrap_or(u64::MAX));
        println!("{totals}");
        if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn one(&self, suite: &Suite) -> Result<Outcome, Error> {
        for tool in &suite.needs {
            let _installing = locked(&self.installing);
            if let Err(error) = tool.prepare() {
                let excused = tool.is_optional() && matches!(error, Error::Missing(_));
                return Ok(Outcome::Skipped(error.to_string(), excused));
            }
        }
        let log = logs().join(format!("{}.log", suite.name));
        fs::write(&log, "").at(&log)?;
        let mut program = PathBuf::new();
        if needs_build(suite) {
            match locked(&self.built).get_or_insert_with(build) {
                Ok(built) => program.clone_from(built),
                Err(message) => return Ok(Outcome::Failed(one_failed(), message.clone())),
            }
        }
        match &suite.work {
            Work::Check(check) => Ok(checked(&check()?)),
            Work::Programs(commands) => run_programs(suite, &mut commands(), &log),
            Work::TestModule(threads) => {
                // Without cargo, which takes a second each time to find that everything is built.
                let mut command = Command::new(program);
                command.args(["--test-threads", &threads.to_string(), &format!("{}::", suite.name)]);
                environment(command.current_dir(root().join("tests")));
                run_programs(suite, &mut [command], &log)
            }
        }
    }
}

/// Locks, also if a thread panicked meanwhile: the whole run ends with that.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says at the end of a long run what failed in it.
fn summarize(failed: &[&(String, Outcome)]) {
    for (name, outcome) in failed {
        let lines = match outcome {
            Outcome::Failed(_, output) => excerpt(output),
            Outcome::Skipped(reason, _) => vec![reason.clone()],
            Outcome::Passed(_) => Vec::new(),
        };
        println!("{name} failed:");
        lines.iter().for_each(|line| println!("    {line}"));
    }
    if !failed.is_empty() {
        println!("failed: {}", failed.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "));
    }
}

fn needs_build(suite: &Suite) -> bool {
    matches!(suite.work, Work::TestModule(_))
        || ["unit", "browser", "ministack", "schemathesis", "cloud-init"].contains(&&*suite.name)
}

/// Builds everything once. The server programs for Amazon Linux come first, if their tools can be installed, so that
/// the tested deployer contains what would be released; those for arm64 only if the suite `dist` has built them, because no
/// other test runs them. Returns the program of the end-to-end tests.
fn build() -> Result<PathBuf, String> {
    if let Err(error) = Tool::Python.prepare().and_then(|()| dist::runtime(dist::X86_64)) {
        eprintln!("the deployer builds the server programs for this machine, not for Amazon Linux 2023: {error}");
    }
    let log = logs().join("build.log");
    fs::write(&log, "").map_err(|error| error.to_string())?;
    for arguments in [
        &["build", "--release", "--package", "peersync-deploy"][..],
        &["test", "--release", "--workspace", "--exclude", "peersync-tests", "--no-run"][..],
        &["test", "--release", "--package", "peersync-tests", "--lib", "--test", "suites", "--no-run"][..],
    ] {
        let ended = run_into(&mut cargo(arguments), &log, BUILD_DEADLINE).map_err(|error| error.to_string())?;
        if !ended.well() {
            return Err(format!("the build failed\n{}", read(&log)));
        }
    }
    suites_program().map_err(|error| error.to_string())
}

fn checked(findings: &[String]) -> Outcome {
    match findings {
        [] => Outcome::Passed(Totals { passed: 1, ..Totals::default() }),
        findings => Outcome::Failed(one_failed(), findings.join("\n")),
    }
}

fn run_programs(suite: &Suite, commands: &mut [Command], log: &Path) -> Result<Outcome, Error> {
    for command in commands {
        let ended = run_into(command, log, suite.deadline)?;
        if ended.well() {
            continue;
        }
        let output = read(log);
        if let Some(reason) = impossible(&suite.name, &output) {
            return Ok(Outcome::Skipped(reason.to_owned(), true));
        }
        let mut totals = Totals::read(&output);
        totals.failed = totals.failed.max(1);
        let end = match ended {
            Ended::Deadline => format!("did not end within {}", time(suite.deadline)),
            Ended::By(status) => status.to_string(),
        };
        return Ok(Outcome::Failed(totals, format!("{output}\n{}: {end}", line(command))));
    }
    let totals = Totals::read(&read(log));
    Ok(Outcome::Passed(if totals.none() { Totals { passed: 1, ..totals } } else { totals }))
}

fn counts(outcome: &Outcome) -> Totals {
    match outcome {
        Outcome::Passed(totals) | Outcome::Failed(totals, _) => *totals,
        Outcome::Skipped(..) => Totals { skipped: 1, ..Totals::default() },
    }
}

fn one_failed() -> Totals {
    Totals { failed: 1, ..Totals::default() }
}

/// Ends the line that names the suite.
fn report(suite: &Suite, outcome: &Outcome, elapsed: Duration) {
    let elapsed = time(elapsed);
    match outcome {
        Outcome::Passed(totals) => println!("ok       {elapsed:>8}  {totals}"),
        Outcome::Skipped(reason, _) => println!("skipped  {elapsed:>8}  {reason}"),
        Outcome::Failed(totals, output) => {
            println!("FAILED   {elapsed:>8}  {totals}");
            println!("---- {} ----\n{output}\n---- end of {} ----", suite.name, suite.name);
        }
    }
}

fn read(log: &Path) -> String {
    // The output of a program may not be text.
    fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn time(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}
