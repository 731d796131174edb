//! Access to AWS, shared by all resources: clients, errors, retries, and the lease without which nothing is changed.

mod advice;
mod clients;
mod error;
mod http;
pub mod lease;
mod moment;
mod pace;
mod passing_codes;
pub mod probe;
mod profile;
mod proxy;
pub mod rates;
pub mod retry;
mod services;
mod too_many_requests;
mod trust;
mod visible_retries;
mod write_guard;

pub use clients::{Clients, ConnectError, ConnectOptions, Identity};
pub use error::{Context, NotFound, code_of};
pub use http::{Http, HttpClient};
pub use services::{SERVICES, Service};
pub use write_guard::{WriteGuard, WriteRefused};
