//! Access to AWS, shared by all resources: clients, errors and retries.

mod clients;
mod error;
pub mod probe;
pub mod retry;
mod services;
mod too_many_requests;
mod visible_retries;

pub use clients::{Clients, ConnectError, ConnectOptions, Identity};
pub use error::{Context, NotFound, code_of};
pub use services::{SERVICES, Service};
