//! PeerSync server programs.

pub mod routes;
