//! What `bench signal` is made of: relays as processes, clients of each, and the load.

pub mod bare;
pub mod client;
pub mod load;
pub mod ours;
pub mod process;
pub mod relays;
