//! The deployer as a process, in its own environment.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::environment::kept;

/// The deadline for a command; the longest takes half a minute on a busy machine.
const DEADLINE: Duration = Duration::from_secs(300);

/// Returns the target folder of cargo, derived from the path of this test program.
pub fn target() -> PathBuf {
    let own = env::current_exe().expect("this program knows where it is");
    let profile = own.ancestors().find(|folder| folder.ends_with("release") || folder.ends_with("debug"));
    profile.and_then(Path::parent).expect("this program is in a cargo target folder").to_path_buf()
}

/// Returns the path of the deployer: `PEERSYNC_DEPLOY`, or the program beside this test program.
pub fn program() -> PathBuf {
    let own = env::current_exe().expect("this program knows where it is");
    let folder = own.ancestors().find(|folder| folder.ends_with("release") || folder.ends_with("debug"));
    let beside = || folder.expect("this program is in a cargo target folder").join("peersync-deploy");
    let program = env::var_os("PEERSYNC_DEPLOY").map_or_else(beside, PathBuf::from);
    assert!(program.exists(), "{} does not exist: run `cargo build --release -p peersync-deploy`", program.display());
    program
}

/// Returns the deployer with these arguments. Of the environment of the tests it gets only what it needs.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).current_dir(folder).env_clear().envs(kept());
    // No configuration or credentials of the user who runs the tests, and no request to the metadata service.
    command.env("HOME", folder).env("AWS_EC2_METADATA_DISABLED", "true").env("NO_PROXY", "*");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Returns the command with another program in place of the deployer.
pub fn with_program(command: &Command, program: &Path) -> Command {
    let command = command.as_std();
    let mut other = Command::new(program);
    other
        .args(command.get_args())
        .env_clear()
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = command.get_current_dir() {
        other.current_dir(folder);
    }
    other.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    other
}

/// Runs a command to its end.
pub async fn run(command: Command) -> Run {
    Running::start(command).ended().await
}

/// A command that runs. What it prints is read from the start: a full pipe would stop it. It is killed if this is
/// dropped.
#[derive(Debug)]
pub struct Running {
    id: String,
    output: JoinHandle<Run>,
}

impl Running {
    /// Starts a command.
    pub fn start(mut command: Command) -> Self {
        let started = Instant::now();
        let child = command.spawn().expect("the deployer can be started");
        let id = child.id().expect("it has not been waited for").to_string();
        Self { id, output: tokio::spawn(ended(child, started)) }
    }

    /// Its process, as the system numbers it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.output.is_finished()
    }

    /// Sends a signal, by its option of the program `kill`.
    pub async fn signal(&self, name: &str) {
        signal(name, &self.id).await;
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> Run {
        (&mut self.output).await.expect("the deployer can be waited for")
    }

    /// Kills it, and waits until it is gone.
    pub async fn kill(self) -> Run {
        self.signal("-KILL").await;
        self.ended().await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.output.abort();
    }
}

/// Sends a signal, by its option of the program `kill`, to a process.
pub async fn signal(name: &str, process: &str) {
    let sent = Command::new("kill").args([name, process]).status().await;
    assert!(sent.is_ok_and(|status| status.success()), "`kill {name}` failed");
}

/// Waits for the end of a command, and reads what is left of its output.
pub async fn ended(child: Child, started: Instant) -> Run {
    let output = timeout(DEADLINE, child.wait_with_output()).await;
    let output = output.expect("the deployer ends in time").expect("the deployer can be waited for");
    Run {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        elapsed: started.elapsed(),
    }
}

/// A command that has ended.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output: data.
    pub stdout: String,
    /// Its standard error: progress and messages.
    pub stderr: String,
    /// How long it took.
    pub elapsed: Duration,
}

impl Run {
    /// Returns everything that it printed.
    pub fn printed(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

/// The essentials of a step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// The resource's address.
    pub address: String,
    /// The action: `create`, `update`, `replace` or `delete`.
    pub action: String,
    /// The fields that differ, without the digest and the record of the tags, each as `field: reason`.
    pub fields: Vec<String>,
}

impl Run {
    /// Panics with all output if it did not end with this exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(self.code, Some(code), "the exit code\n--- stdout ---\n{stdout}\n--- stderr ---\n{stderr}");
        self
    }

    /// Returns the JSON events.
    pub fn events(&self) -> Vec<Value> {
        self.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Returns the events whose kinds `docs/output.md` does not document.
    pub fn undocumented(&self) -> Vec<Value> {
        let documentation = include_str!("../../docs/output.md");
        let named =
            |event: &Value| documentation.contains(&format!("`{}`", event["event"].as_str().unwrap_or_default()));
        self.events().into_iter().filter(|event| !named(event)).collect()
    }

    /// Returns the events of one kind.
    pub fn events_of(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event"] == kind).collect()
    }

    /// Returns the last event, which is the result.
    #[track_caller]
    pub fn result(&self) -> Value {
        let last = self.events().pop();
        last.unwrap_or_else(|| panic!("no event\n{}\n{}", self.stdout, self.stderr))
    }

    /// Returns an output, for example `site_url`.
    pub fn output(&self, name: &str) -> Option<String> {
        self.result()["outputs"][name].as_str().map(str::to_owned)
    }

    /// Returns the steps of the plan that change something.
    pub fn steps(&self) -> Vec<Step> {
        let plans = self.events_of("plan");
        let steps = plans.first().and_then(|plan| plan["steps"].as_array().cloned()).unwrap_or_default();
        let mut steps: Vec<Step> = steps.iter().map(step).collect();
        steps.sort();
        steps
    }

    /// Returns the changes that were made, as `action address`, sorted.
    pub fn done(&self) -> Vec<String> {
        let changes = self.result()["changes"].as_array().cloned().unwrap_or_default();
        let text = |change: &Value, field: &str| change[field].as_str().unwrap_or_default().to_owned();
        let changes = changes.iter().filter(|change| change["action"] != "no_change");
        let mut done: Vec<String> =
            changes.map(|change| format!("{} {}", text(change, "action"), text(change, "address"))).collect();
        done.sort();
        done
    }

    /// Returns the addresses of the resources that failed, sorted.
    pub fn failed(&self) -> Vec<String> {
        let failures = self.events_of("failed").into_iter();
        let mut failed: Vec<String> =
            failures.filter_map(|event| Some(event["address"].as_str()?.to_owned())).collect();
        failed.sort();
        failed
    }
}

fn step(step: &Value) -> Step {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let changes = step["changes"].as_array().cloned().unwrap_or_default();
    let records = ["tags.peersync:digest", "tags.peersync:tags"];
    let changes = changes.iter().filter(|change| !records.iter().any(|record| change["field"] == *record));
    let fields = changes.map(|change| format!("{}: {}", text(&change["field"]), text(&change["reason"])));
    Step { address: text(&step["address"]), action: text(&step["action"]), fields: fields.collect() }
}
