//! The relay as clients and attackers see it: without sockets, where time is a number, and with them.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failure here is the test's failure"
)]

mod allocations;
mod bounds;
mod certificates;
mod clocks;
mod data;
mod front;
mod handshakes;
mod hostile;
mod requests;
mod sockets;
mod strangers;
mod world;
