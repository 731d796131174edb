//! A PeerSync stack: its names and tags ([`stack`]), every kind of resource ([`kinds`]), and the graph of all resources
//! ([`catalog`]).
//!
//! The caller passes in what is uploaded (pages, server programs, routes) as [`Artifacts`], so that a program that only
//! removes stacks does not have to contain it.

mod artifacts;
pub mod catalog;
mod digests;
pub mod kinds;
pub mod pages;
pub mod permission;
pub mod quotas;
mod relay;
mod runtime_environment;
pub mod search;
pub mod security_headers;
pub mod stack;
mod told_way;

pub use artifacts::{Artifacts, Page, Program, Programs, check_architectures, check_program};
pub use relay::Relay;
pub use stack::Stack;
