//! The parts of `bench signal`: relays as processes, their clients, the load, and the report.

pub mod bare;
pub mod client;
pub mod host;
pub mod load;
pub mod machine;
pub mod measure;
pub mod moving;
pub mod options;
pub mod ours;
pub mod process;
pub mod references;
pub mod relays;
pub mod report;
pub mod resting;
pub mod states;
