//! What the end-to-end tests and benchmarks stand on: emulators as processes, the deployer as a process, a proxy that
//! makes emulators behave as AWS does, and a census of everything that an account holds.
//!
//! This crate is test code: it panics where the ground under a test gives way, with a message that says what did.

pub mod api_bench;
pub mod bench;
pub mod census;
pub mod clients;
pub mod deployer;
pub mod drift;
pub mod emulator;
pub mod http;
pub mod iam;
pub mod metadata;
pub mod product;
pub mod proxy;
pub mod signal_bench;
pub mod stage;
pub mod unmanaged;
pub mod usage;
