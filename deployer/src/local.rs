//! The whole product on a laptop in one process: DynamoDB, the API, signaling, mail, and an edge that emulates
//! CloudFront.

mod addresses;
pub mod announce;
pub mod backend;
pub mod certificate;
pub mod database;
pub mod edge;
pub mod endpoint;
mod error;
mod function_logs;
pub mod gateway;
pub mod log;
pub mod options;
mod programs;
pub mod provision;
pub mod relay;
pub mod run;
pub mod seed;

pub use error::LocalError;
