//! PeerSync server programs: the API (a Lambda bootstrap, or in-process) and the signaling server.

pub mod access;
pub mod aws;
pub mod clock;
pub mod routes;
pub mod secrets;
pub mod settings;
pub mod store;
pub mod tickets;

#[cfg(feature = "api")]
pub mod address;
#[cfg(feature = "api")]
pub mod api;
#[cfg(feature = "api")]
pub mod mail;

#[cfg(feature = "signal")]
pub mod signal;
