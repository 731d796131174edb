//! The API against the real DynamoDB protocol, in one process: every route, its limits, its errors, and concurrent
//! requests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failure here is the test's failure"
)]

mod accounts;
#[path = "../../../server/tests/support/calls.rs"]
mod calls;
mod document;
mod emailjs;
mod enumeration;
mod friends;
mod interleavings;
mod limits;
mod quotas;
mod reports;
mod requests;
mod roles;
mod rooms;
mod search;
mod secrets;
mod ses;
mod smtp;
mod spellings;
mod support;
mod tally;
mod tunnels;
mod turn;
mod waits;
mod withdrawals;
