//! Functions of the installation: the pauses between two attempts at a step, and what the log says about the certificate.

use std::process::Command;

use super::user_data::INSTALL;

/// What the script's function is run with: its pauses and reports are printed, and the step fails ten times.
const STEP: &str = r#"
say() { echo "$*"; }
report() { echo "reported: $1"; }
because() { printf ': relay: taken'; }
sleep() { echo "pause $1"; }
attempts=0
step() { attempts=$((attempts + 1)); [ "$attempts" -gt 10 ]; }
persist "the step" step
echo "attempts $attempts"
"#;

/// Returns the part of the script from the line that begins with `first` to the next line that is `last`.
fn part(first: &str, last: &str) -> String {
    let lines: Vec<&str> = INSTALL.lines().skip_while(|line| !line.starts_with(first)).collect();
    let length = lines.iter().position(|line| line.starts_with(last)).unwrap();
    lines[..=length].join("\n")
}

#[test]
fn installation_is_tried_again_with_pauses_that_grow_to_a_minute() {
    let script = format!(
        "set -euo pipefail\n{}\n{}\n{STEP}",
        part("longest_pause=", "longest_pause="),
        part("persist() {", "}")
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let pauses: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("pause ")).collect();
    assert_eq!(pauses, ["1", "2", "4", "8", "16", "32", "60", "60", "60", "60"]);
    assert!(said.contains("failed: the step (attempt 10)\n"), "{said}");
    assert!(said.contains("reported: waiting for the step: attempt 10: relay: taken\n"), "{said}");
    assert!(said.ends_with("attempts 11\n"), "{said}");
}

#[test]
fn host_has_its_certificate_whatever_the_authority_says_about_renewals() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("peersync-relay.log");
    let function = part("certificate_state() {", "}").replace("/var/log/peersync-relay.log", log.to_str().unwrap());
    let state = |messages: &[&str]| {
        let line = |message: &&str| format!(r#"{{"target":"certificate","message":"{message}"}}"#);
        std::fs::write(&log, messages.iter().map(line).collect::<Vec<_>>().join("\n")).unwrap();
        let output = Command::new("bash").args(["-c", &format!("{function}\ncertificate_state")]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    const USED: &str = "the certificate of the stack is used";
    assert_eq!(state(&[]), "");
    assert_eq!(state(&[USED]), "ready\n");
    assert_eq!(state(&[USED, "the authority suggests no time of renewal"]), "ready\n");
}
