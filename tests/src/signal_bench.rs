//! What `bench signal` is made of: relays as processes, clients of each, the load, and what is said of it.

pub mod bare;
pub mod client;
pub mod load;
pub mod machine;
pub mod measure;
pub mod options;
pub mod ours;
pub mod process;
pub mod references;
pub mod relays;
pub mod report;
pub mod resting;
