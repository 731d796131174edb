//! The server programs of a stack: those for the processors of its functions and of its host.

use super::Stack;
use crate::artifacts::Program;

impl Stack {
    /// Returns the program of the functions.
    pub fn api_program(&self) -> &'static Program {
        &self.artifacts.programs(self.config.api.architecture).api
    }

    /// Returns the signaling server of the host.
    pub fn signal_program(&self) -> &'static Program {
        &self.artifacts.programs(self.config.signaling.architecture()).signal
    }

    /// Returns the relay of the host.
    pub fn relay_program(&self) -> &'static Program {
        &self.artifacts.programs(self.config.signaling.architecture()).relay
    }
}
