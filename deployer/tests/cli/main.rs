//! The program as its user sees it: exit code, standard output and standard error. The tests are isolated from this
//! computer: no AWS settings, an empty home folder and an empty working folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a panic here fails the test")]

mod connection;
mod policy;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use insta::assert_snapshot;
use regex_lite::Regex;
use serde_json::Value;
use tempfile::TempDir;

/// A working folder that is also the home folder.
struct Folder(TempDir);

impl Folder {
    fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with(configuration: &str) -> Self {
        let folder = Self::empty();
        fs::write(folder.path().join("peersync.toml"), configuration).unwrap();
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, &[])
    }

    fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_peersync-deploy"))
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            // Otherwise the SDK looks for the metadata service that gives credentials to instances.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    /// Returns exit code, standard output and standard error as one text.
    fn seen(&self, arguments: &[&str]) -> String {
        self.seen_with(arguments, &[])
    }

    fn seen_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let output = self.run_with(arguments, variables);
        let text = format!(
            "$ peersync-deploy {}\nexit: {}\n--- stdout\n{}--- stderr\n{}",
            arguments.join(" "),
            output.status.code().unwrap(),
            stdout(&output),
            String::from_utf8(output.stderr.clone()).unwrap(),
        );
        text.replace(&self.path().display().to_string(), "[FOLDER]").replace(env!("CARGO_PKG_VERSION"), "[VERSION]")
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&stdout(output)).unwrap()
}

const STAGES: &str = r#"[mail]
provider = "smtp"

[mail.smtp]
user = "you@example.org"
password = { env = "SMTP_PASS" }

[stages.prod.api]
memory_mb = 512
timeout = "20s"
"#;

#[test]
fn version() {
    assert_snapshot!(Folder::empty().seen(&["--version"]));
}

#[test]
fn help_names_every_command() {
    assert_snapshot!(Folder::empty().seen(&["--help"]));
}

#[test]
fn unknown_command_suggests_the_nearest() {
    assert_snapshot!(Folder::empty().seen(&["staus"]));
}

#[test]
fn branch_names_are_rejected_as_stages() {
    assert_snapshot!(Folder::empty().seen(&["config", "check", "--stage", "feature/Login page"]));
    assert_snapshot!(Folder::empty().seen_with(&["config", "check"], &[("PEERSYNC_STAGE", "Main")]));
}

#[test]
fn plan_is_either_markdown_or_json() {
    assert_snapshot!(Folder::empty().seen(&["plan", "--format", "markdown", "--output", "json"]));
}

#[test]
fn teardown_requires_the_expired_flag() {
    assert_snapshot!(Folder::empty().seen(&["teardown"]));
}

#[test]
fn invalid_expiry_is_rejected() {
    assert_snapshot!(Folder::empty().seen(&["up", "--expires", "soon"]));
}

#[test]
fn missing_file_means_defaults() {
    let folder = Folder::empty();
    assert_snapshot!(folder.seen(&["config", "check"]));
    assert_snapshot!(folder.seen(&["config", "show"]));
}

#[test]
fn named_file_must_exist() {
    assert_snapshot!(Folder::empty().seen(&["-c", "other.toml", "config", "check"]));
}

#[test]
fn valid_file_passes_the_check() {
    let folder = Folder::with(STAGES);
    assert_snapshot!(folder.seen(&["config", "check"]));
    assert_snapshot!(folder.seen(&["--output", "json", "config", "check", "--stage", "preview"]));
}

#[test]
fn check_names_the_stage_that_was_probably_meant() {
    let folder = Folder::with(&format!("{STAGES}[stages.staging.api]\nmemory_mb = 128\n"));
    assert_snapshot!(folder.seen(&["config", "check", "--stage", "prdo"]), @r"
    $ peersync-deploy config check --stage prdo
    exit: 0
    --- stdout
    peersync.toml is valid (stages prdo, prod, staging)
    --- stderr
    warning: peersync.toml has no section for the stage prdo, so that only what holds for every stage applies to it; did you mean `prod`? It has sections for prod, staging
    ");
    assert_snapshot!(folder.seen_with(&["config", "check"], &[("PEERSYNC_STAGE", "pr-7")]), @r"
    $ peersync-deploy config check
    exit: 0
    --- stdout
    peersync.toml is valid (stages pr-7, prod, staging)
    --- stderr
    warning: peersync.toml has no section for the stage pr-7, so that only what holds for every stage applies to it; it has sections for prod, staging
    ");
    for silent in
        [&["config", "check"][..], &["config", "check", "--stage", "dev"], &["config", "check", "--stage", "prod"]]
    {
        assert!(folder.run(silent).stderr.is_empty(), "{silent:?}");
    }
    let without = Folder::with("[api]\nmemory_mb = 512\n").seen(&["config", "check", "--stage", "prod"]);
    assert!(without.contains("it has none for any stage"), "{without}");
}

#[test]
fn invalid_file_is_rejected() {
    let folder = Folder::with("[api]\nmemory_mbb = 512\n\n[stages.prod.site]\ndomain = \"call.example.org\"\n");
    assert_snapshot!(folder.seen(&["config", "check"]));
    assert_snapshot!(folder.seen(&["--output", "json", "config", "check"]));
    // Every command that reads the configuration reports the same problem before it does anything.
    for command in ["up", "plan", "down", "status", "outputs", "graph", "policy"] {
        let output = folder.run(&[command, "--region", "eu-central-1"]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean `memory_mb`?"), "{command}");
    }
}

#[test]
fn secrets_are_never_shown() {
    let folder = Folder::with(STAGES);
    let secret = [("SMTP_PASS", "hunter2-hunter2")];
    for arguments in [
        &["config", "show"][..],
        &["config", "show", "--format", "json", "--stage", "prod"],
        &["--output", "json", "config", "show"],
    ] {
        let seen = folder.seen_with(arguments, &secret);
        assert!(!seen.contains("hunter2"), "{seen}");
        assert!(seen.contains("(secret from SMTP_PASS)"), "{seen}");
    }
    assert_snapshot!(folder.seen_with(&["config", "show", "--stage", "prod"], &secret));
}

#[test]
fn unset_secret_stops_only_up() {
    let folder = Folder::with(STAGES);
    assert_snapshot!(folder.seen(&["up", "--yes", "--region", "eu-central-1"]));
    assert!(folder.run(&["config", "check"]).status.success());
    assert!(folder.run(&["graph"]).status.success());
}

#[test]
fn missing_region_is_an_error() {
    assert_snapshot!(Folder::empty().seen(&["status"]));
}

#[test]
fn schema_works_in_editors() {
    let schema = json(&Folder::empty().run(&["config", "schema"]));
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    assert_eq!(schema["properties"]["stages"]["additionalProperties"]["$ref"], "#/definitions/Stage");
    assert_eq!(schema["definitions"]["Stage"]["additionalProperties"], false);
    let links = Regex::new(r##""\$ref":"#/definitions/(\w+)""##).unwrap();
    for link in links.captures_iter(&schema.to_string()) {
        assert!(schema["definitions"].get(&link[1]).is_some(), "{}", &link[1]);
    }
}

#[test]
fn completions_contain_every_command() {
    let folder = Folder::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&folder.run(&["completions", shell]));
        for word in ["teardown", "detailed-exitcode", "completions", "endpoint-url", "schema"] {
            assert!(script.contains(word), "{shell} does not contain {word}");
        }
    }
    assert_eq!(folder.run(&["completions", "tcsh"]).status.code(), Some(2));
}

#[test]
fn graph_as_mermaid() {
    let output = Folder::empty().run(&["graph"]);
    let text = stdout(&output);
    assert!(output.status.success());
    assert!(
        text.starts_with("%% peersync-dev: arrows point from a resource to its dependencies\nflowchart LR\n"),
        "{text}"
    );
    let nodes: BTreeSet<String> = found(r#"(?m)^    (\w+)\[""#, &text);
    let ends: BTreeSet<String> =
        found(r"(?m)^  (\w+) --> ", &text).union(&found(r"--> (\w+)$", &text)).cloned().collect();
    assert!(nodes.contains("log_group__signup"), "{text}");
    assert!(ends.is_subset(&nodes), "{ends:?} {nodes:?}");
    assert_eq!(text.matches("  subgraph ").count(), text.matches("\n  end\n").count());
}

#[test]
fn graph_as_dot_and_as_json() {
    let folder = Folder::empty();
    let text = stdout(&folder.run(&["graph", "--format", "dot"]));
    let nodes: BTreeSet<String> = found(r#"(?m)^    ("[^"]+") \[label"#, &text);
    let ends: BTreeSet<String> =
        found(r#"(?m)^  ("[^"]+") -> "#, &text).union(&found(r#"(?m) -> ("[^"]+");$"#, &text)).cloned().collect();
    assert!(nodes.contains("\"log_group.signup\""), "{text}");
    assert!(ends.is_subset(&nodes), "{ends:?} {nodes:?}");
    let graph = json(&folder.run(&["--output", "json", "graph"]));
    assert_eq!(graph["nodes"].as_array().map(Vec::len), Some(nodes.len()));
}

/// Returns the first group of each match.
fn found(pattern: &str, text: &str) -> BTreeSet<String> {
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn doctor_reports_problems_and_fixes() {
    let folder = Folder::with(
        "[mail]\nprovider = \"smtp\"\n\n[mail.smtp]\nhost = \"127.0.0.1\"\nport = 1\ntls = \"none\"\nuser = \"a@example.org\"\npassword = { env = \"SMTP_PASS\" }\n",
    );
    let seen = folder.seen(&["doctor", "--region", "eu-central-1", "--endpoint-url", "http://127.0.0.1:1"]);
    // The verdict on the embedded programs depends on how they were built.
    let lines: Vec<&str> = seen.lines().collect();
    let kept = lines.iter().enumerate().filter(|(index, line)| {
        let hint_of_programs = line.starts_with("      hint") && *index > 0 && lines[index - 1].contains("  programs ");
        !line.contains("  programs ") && !hint_of_programs && !line.contains("checks failed")
    });
    assert_snapshot!(kept.map(|(_, line)| *line).collect::<Vec<_>>().join("\n"));
}
