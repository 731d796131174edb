//! Puts PeerSync into the owner's own AWS account.
//!
//! The way of the data: `config` → `stack` (what a PeerSync stack consists of) → `observe` → `plan` → `apply` →
//! `report`.

pub mod artifacts;
pub mod cli;
pub mod commands;
pub mod local;
pub mod report;
