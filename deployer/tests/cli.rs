//! The program as its user sees it: exit code, standard output and standard error. The tests are isolated from this
//! computer: no AWS settings, an empty home folder and an empty working folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a panic here fails the test")]

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
fn policy_is_limited_to_the_stack() {
    let folder = Folder::empty();
    const COMMAND: [&str; 7] = ["policy", "--account", "123456789012", "--region", "eu-central-1", "--stage", "prod"];
    let policy = json(&folder.run(&COMMAND));
    assert_eq!(policy["Version"], "2012-10-17");
    let mut all = BTreeSet::new();
    for statement in policy["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        let actions = texts(&statement["Action"]);
        let action = Regex::new("^[a-z0-9-]+:[A-Z][A-Za-z*]+$").unwrap();
        assert!(!actions.is_empty() && actions.iter().all(|text| action.is_match(text)), "{actions:?}");
        assert!(!actions.iter().any(|action| action.ends_with(":*")), "{actions:?}");
        for resource in texts(&statement["Resource"]) {
            // Log groups have our names; only read actions may go beyond them.
            let own = resource.contains("/peersync-prod-") || resource.contains("/peersync/peersync-prod/");
            let looks = actions.iter().all(|action| action.starts_with("logs:Describe"));
            assert!(own || looks || !resource.contains(":log-group:"), "{resource}: {actions:?}");
        }
        all.extend(actions);
    }
    for action in ["sts:GetCallerIdentity", "logs:CreateLogGroup", "logs:FilterLogEvents"] {
        assert!(all.contains(action), "{action}");
    }
    let part = |number| [&COMMAND[..], &["--part", number]].concat();
    let parts: Vec<_> = ["1", "2", "3", "4"].iter().map(|number| json(&folder.run(&part(number)))).collect();
    let of_parts = parts.iter().flat_map(|part| part["Statement"].as_array().unwrap().clone());
    assert_eq!(of_parts.collect::<Vec<_>>(), *policy["Statement"].as_array().unwrap());
    assert!(parts.iter().all(|part| part.to_string().len() <= 6_144), "each fits into a managed policy");
    assert_eq!(folder.run(&part("5")).status.code(), Some(2));
    assert!(policy.to_string().contains("arn:aws:logs:eu-central-1:123456789012:log-group:/peersync/peersync-prod/*"));
}

#[test]
fn policy_for_a_pipeline_takes_a_pattern_of_stages() {
    let folder = Folder::empty();
    let policy = |more: &[&str]| {
        folder.run(&[&["policy", "--account", "123456789012", "--region", "eu-central-1"], more].concat())
    };
    let pipeline = json(&policy(&["--stages", "pr-*"])).to_string();
    assert!(pipeline.contains("table/peersync-pr-*-Users") && !pipeline.contains("peersync-dev"));
    assert!(pipeline.contains(r#""StringLike":{"aws:ResourceTag/peersync:stack":"peersync-pr-*"}"#));
    let teardown = json(&policy(&["--for", "teardown"])).to_string();
    assert!(teardown.contains("table/*-*-Users") && !teardown.contains("CreateTable"));
    let of_one = json(&policy(&["--for", "teardown", "--stage", "dev"])).to_string();
    assert!(of_one.contains("table/peersync-dev-Users") && !of_one.contains("table/*"));
    for wrong in [&["--stages", "prod"][..], &["--stages", "PR-*"], &["--stages", "pr-*", "--stage", "dev"]] {
        assert_eq!(policy(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[test]
fn policy_without_account_and_region_prints_notes() {
    let output = Folder::empty().run(&["policy"]);
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(notes.contains("`--account 123456789012`") && notes.contains("`--region eu-central-1`"), "{notes}");
    assert!(json(&output)["Statement"].is_array());
    let china = json(&Folder::empty().run(&["policy", "--account", "123456789012", "--region", "cn-north-1"]));
    assert!(china.to_string().contains("arn:aws-cn:logs:cn-north-1:"));
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
