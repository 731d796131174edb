//! Deploys PeerSync to the owner's own AWS account.
//!
//! Data flows this way: `config` → `stack` (the resources of a PeerSync stack) → `observe` → `plan` → `apply` →
//! `report`.

pub mod artifacts;
pub mod cli;
pub mod commands;
pub mod local;
pub mod report;
