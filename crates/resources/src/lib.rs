//! What a PeerSync stack consists of: its names and tags ([`stack`]), every kind of resource ([`kinds`]), and the graph
//! of them ([`catalog`]).
//!
//! What is uploaded (pages, server programs, routes) is handed in as [`Artifacts`], so that a program which only removes
//! a stack links none of it.

mod artifacts;
pub mod catalog;
pub mod kinds;
pub mod pages;
mod runtime_environment;
pub mod security_headers;
pub mod stack;

pub use artifacts::{Artifacts, Page, Program, check_program};
pub use stack::Stack;
