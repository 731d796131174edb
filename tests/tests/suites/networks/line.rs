//! A bad line, by `tests/support/line.py`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use peersync_tests::emulator::python;

use super::namespace::Namespace;

/// A line between two namespaces, which is cut when this is dropped.
#[derive(Debug)]
pub struct Line {
    child: Child,
}

impl Line {
    /// Lays a line with a device of this name at both ends.
    pub fn between(one: &Namespace, other: &Namespace, device: &str, delay: u16, loss: f64) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/line.py");
        let mut command = one.command(python());
        command.arg(program).args([device, other.name(), &delay.to_string(), &loss.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the line starts");
        let mut ready = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        output.read_line(&mut ready).expect("the line prints text");
        assert_eq!(ready.trim(), "ready", "the line does not start");
        one.ip(&format!("link set {device} up"));
        other.ip(&format!("link set {device} up"));
        Self { child }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
