//! The HTTP API: accounts, friends, rooms and tickets. One router, one file per route. In AWS each Lambda function
//! serves the whole router behind its own role; `local` serves it in its own process.

mod addressee;
mod body;
mod caller;
mod cloudflare_turn;
mod document;
mod error;
mod guard;
mod guesses;
mod health;
mod ice_servers;
mod limits;
pub mod mail;
mod mail_budget;
mod router;
mod routes;
mod session;
mod state;
mod throttle;
pub mod types;

pub use caller::{Cookie, RequestId, SourceAddress};
pub use document::{document, document_json};
pub use error::{ApiError, ApiResult};
pub use limits::{Limit, Limits};
pub use router::router;
pub use routes::routes;
pub use session::SESSION_COOKIE;
pub use state::{SecretSource, State};
