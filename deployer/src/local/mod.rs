//! The whole product on a laptop in one process: DynamoDB, the API, signaling, mail, and an edge that stands for
//! CloudFront.

pub mod database;
pub mod edge;
mod error;
pub mod mail;

pub use error::LocalError;
