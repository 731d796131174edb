//! The relay as a process of its own beside the product, as in AWS.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use super::lab::{Lab, SERVER};

/// The secret that the relay shares with the product.
pub const SECRET: &str = "lab";

/// A running relay, which is killed when this is dropped.
#[derive(Debug)]
pub struct SeparateRelay {
    child: Child,
}

impl SeparateRelay {
    /// Starts it on the server.
    pub fn start(lab: &Lab) -> Self {
        let mut command = lab.server.command(env!("CARGO_BIN_EXE_lab-relay"));
        command.args([SERVER, SECRET]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the relay starts");
        let mut ready = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        output.read_line(&mut ready).expect("the relay prints text");
        assert_eq!(ready.trim(), "ready", "the relay does not start");
        Self { child }
    }

    /// Returns the configuration with which the product uses this relay. The secret is in the environment variable
    /// `TURN_SECRET`.
    pub fn configuration() -> String {
        format!(
            "[turn]\nprovider = \"own\"\nurls = [\"turn:{SERVER}:3478?transport=udp\", \"turn:{SERVER}:3478?transport=tcp\"]\n\
             secret = {{ env = \"TURN_SECRET\" }}\n"
        )
    }
}

impl SeparateRelay {
    /// Kills it, and starts it again.
    pub fn restart(&mut self, lab: &Lab) {
        self.end();
        *self = Self::start(lab);
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for SeparateRelay {
    fn drop(&mut self) {
        self.end();
    }
}
