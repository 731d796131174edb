//! The API: one router, one file per route. In AWS each function serves it whole behind its own role; `local` serves
//! it in its own process.

mod body;
mod caller;
mod document;
mod error;
mod guard;
mod health;
mod limits;
mod router;
mod routes;
mod session;
mod state;
pub mod types;

pub use caller::{RequestId, SourceAddress};
pub use document::{document, document_json};
pub use error::{ApiError, ApiResult};
pub use limits::{Limit, Limits};
pub use router::router;
pub use session::SESSION_COOKIE;
pub use state::{SecretSource, State};
