//! Puts PeerSync into the owner's own AWS account.
//!
//! The way of the data: `config` → `stack` (what a PeerSync stack consists of) → `observe` → `plan` → `apply` →
//! `report`.

pub mod aws;
pub mod cli;
pub mod commands;
pub mod config;
pub mod deploy;
pub mod engine;
pub mod local;
pub mod programs;
pub mod report;
pub mod resources;
pub mod site;
pub mod stack;
