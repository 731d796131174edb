//! The support library of the end-to-end tests and benchmarks: emulators and the deployer as processes, a proxy that
//! makes emulators behave like AWS, and a census of everything that an account contains.
//!
//! This crate is test code: it panics if the environment of a test fails, with a message that says what failed.

pub mod allowed;
pub mod api_bench;
pub mod bench;
pub mod carried;
pub mod census;
pub mod clients;
pub mod cloudflare;
pub mod deployer;
pub mod drift;
pub mod earlier;
pub mod edge;
pub mod emulator;
mod environment;
pub mod http;
pub mod iam;
pub mod metadata;
pub mod product;
pub mod proxy;
pub mod relay_bench;
pub mod releases;
pub mod shared;
pub mod signal_bench;
pub mod stage;
pub mod unmanaged;
pub mod usage;
