//! The signaling server over real sockets: each rule has a test that violates it. DynamoDB is `dynoxide-rs` on a
//! loopback port; every test has its own server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a failure here is the test's failure"
)]

mod attacks;
#[path = "../../../server/tests/support/calls.rs"]
mod calls;
mod client;
mod clocks;
mod directory;
mod drain;
mod entrance;
mod entrances;
mod handover;
mod model;
mod nuisance;
mod outcomes;
mod pressure;
mod quick_tunnel;
mod reentry;
mod resume;
mod rings;
mod role;
mod rooms;
mod rotation;
mod slow;
mod spellings;
mod withdrawals;
mod world;
