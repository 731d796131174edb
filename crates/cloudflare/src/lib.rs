//! Cloudflare's API (version 4), as far as a named tunnel needs it: the zone of a domain, the tunnel with its ingress rules
//! and its token, and the DNS record.
//!
//! Requests go through the same proxy as everything else, and nothing that changes anything is sent without the lease. What
//! fails for a passing reason is repeated for some seconds.

mod client;
mod error;
mod records;
mod tunnels;
mod zones;

pub use client::Cloudflare;
pub use error::{CONFLICTING_RECORD, STILL_CONNECTED, no_token};
pub use records::{Record, RecordSettings};
pub use tunnels::Tunnel;
pub use zones::{Account, Zone};
