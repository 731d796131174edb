//! Deploys PeerSync to the owner's own AWS account.
//!
//! Data flows this way: `config` → `stack` (the resources of a PeerSync stack) → `observe` → `plan` → `apply` →
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
