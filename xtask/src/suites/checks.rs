//! Suites that are more than one call of a program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dist;
use crate::error::{At as _, Error};
use crate::tools::ARM64_LIBRARIES;
use crate::workspace::{deployer, root, target, written_files};

/// The beginnings of paths that exist on one machine only.
const MACHINE_PATHS: [&str; 4] = ["/root/", "/work/", "/home/", "/Users/"];
/// Paths that are examples, or inside a container or an instance.
const EXAMPLES: [&str; 3] = ["/home/you", "/home/runner", "/home/ec2-user"];

/// Returns the lines of the repository that contain a path of one machine.
pub fn machine_paths() -> Result<Vec<String>, Error> {
    let mut findings = Vec::new();
    for file in written_files(&root())? {
        // A file that is not text has no lines; one that was deleted is not in the next commit.
        let Ok(text) = fs::read_to_string(root().join(&file)) else { continue };
        if file.ends_with("suites/checks.rs") {
            continue;
        }
        let lines = text.lines().enumerate().filter(|(_, line)| names_machine_path(line));
        findings.extend(lines.map(|(number, line)| format!("{}:{}: {}", file.display(), number + 1, line.trim())));
    }
    Ok(findings)
}

fn names_machine_path(line: &str) -> bool {
    MACHINE_PATHS.iter().any(|beginning| {
        line.match_indices(beginning).any(|(at, _)| {
            let (before, from) = line.split_at(at);
            let is_start = !before.ends_with(|letter: char| letter.is_alphanumeric() || "._-~}/".contains(letter));
            is_start && !EXAMPLES.iter().any(|example| from.starts_with(example))
        })
    })
}

/// Returns the run of shellcheck on all shell scripts of the repository.
pub fn shellcheck() -> Vec<Command> {
    let files = written_files(&root()).unwrap_or_default();
    let scripts: Vec<PathBuf> = files.into_iter().filter(|file| is_shell_script(&root().join(file))).collect();
    let mut command = Command::new("shellcheck");
    command.args(scripts).current_dir(root());
    vec![command]
}

fn is_shell_script(path: &Path) -> bool {
    if path.extension().is_some_and(|end| end == "sh") {
        return true;
    }
    let first = fs::read(path).map(|bytes| bytes.into_iter().take_while(|byte| *byte != b'\n').collect::<Vec<_>>());
    first.is_ok_and(|line| line.starts_with(b"#!") && (line.ends_with(b"bash") || line.ends_with(b"/sh")))
}

/// Starts the programs for arm64 in an emulator of the processor, without any settings, and returns those that do not say
/// which one they miss. The suite `dist` has built them.
pub fn arm64_programs() -> Result<Vec<String>, Error> {
    dist::runtime(dist::ARM64)?;
    let mut findings = Vec::new();
    for name in dist::PROGRAMS {
        let mut command = Command::new("qemu-aarch64-static");
        command.args(["-L", ARM64_LIBRARIES]).arg(dist::ARM64.programs().join(name)).env_clear();
        let output = command.output().at(Path::new("qemu-aarch64-static"))?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if !said.contains("PEERSYNC_STACK") {
            findings.push(format!("{name}: {}: {said}", output.status));
        }
    }
    Ok(findings)
}

/// Returns the run of schemathesis, which starts `local` and tries every operation of the document.
pub fn schemathesis() -> Vec<Command> {
    let mut command = Command::new(target().join("venv/bin/python"));
    command.arg("tests/support/schemathesis_run.py").arg(deployer()).current_dir(root());
    vec![command]
}

/// Returns the test that lets cloud-init check the user data of the instance.
pub fn cloud_init() -> Vec<Command> {
    let mut command =
        super::cargo(&["test", "--release", "--workspace", "--exclude", "peersync-tests", "--lib", "cloud_init"]);
    command.args(["--", "--include-ignored"]);
    vec![command]
}

#[cfg(test)]
mod tests {
    use super::names_machine_path;

    #[test]
    fn only_paths_of_one_machine_are_found() {
        assert!(names_machine_path("see /root/.cache/x"));
        assert!(names_machine_path("path = \"/home/jane/peersync\""));
        assert!(!names_machine_path("https://example.org/home/news"));
        assert!(!names_machine_path("$HOME/work/x and ./work/y and assets/work/z"));
        assert!(!names_machine_path("/home/ec2-user/x"));
        assert!(!names_machine_path("location /home.html"));
    }
}
