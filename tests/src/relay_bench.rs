//! The parts of `bench relay`: relays as processes, clients in pairs, and the load between them.

pub mod client;
pub mod load;
pub mod measure;
pub mod servers;
