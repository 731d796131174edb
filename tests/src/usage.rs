//! What a command costs: time, processor, memory.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

/// Runs its arguments and writes what the kernel counted as the last line of standard error. Written in Python because
/// the standard library does not give a child's resource usage.
const MEASURE: &str = r#"
import json, os, resource, subprocess, sys, time
began = time.perf_counter()
code = subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL)
wall = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([wall, used.ru_utime + used.ru_stime, used.ru_maxrss, code]), file=sys.stderr)
"#;

/// What a command cost.
#[derive(Clone, Debug)]
pub struct Usage {
    /// Wall time.
    pub wall: Duration,
    /// Processor time, user and system.
    pub processor: Duration,
    /// The most memory it held, in KB.
    pub peak_kb: u64,
    /// Its exit code.
    pub code: i64,
    /// What it wrote on standard output.
    pub stdout: String,
    /// What it wrote on standard error.
    pub stderr: String,
}

/// Runs a command with its environment and measures it.
pub fn measure(command: &Command) -> Usage {
    let mut measured = Command::new(crate::emulator::python());
    measured.args(["-c", MEASURE]).arg(command.get_program()).args(command.get_args());
    measured.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            measured.env(name, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        measured.current_dir(folder);
    }
    let output = measured.output().expect("Python can be started");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let (told, counted) = stderr.trim_end().rsplit_once('\n').unwrap_or(("", stderr.trim_end()));
    let counted: Value = serde_json::from_str(counted).unwrap_or_else(|_| panic!("nothing was measured:\n{stderr}"));
    Usage {
        wall: Duration::from_secs_f64(counted[0].as_f64().unwrap_or_default()),
        processor: Duration::from_secs_f64(counted[1].as_f64().unwrap_or_default()),
        peak_kb: counted[2].as_u64().unwrap_or_default(),
        code: counted[3].as_i64().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: told.to_owned(),
    }
}
