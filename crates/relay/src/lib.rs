//! A STUN and TURN server (RFC 8489, RFC 8656) for browsers that cannot reach each other directly.
//!
//! **It relays between its own clients alone.** A relayed address is no socket: it is a number that the relay gives to
//! an allocation, and what is sent to it goes to the client with that allocation. So nothing can be sent to anybody who
//! has not asked for it with credentials of the same stack, neither to private networks nor to a host's metadata, and
//! one port is enough. Both sides of a call have an allocation, so a pair of relayed addresses always exists.
//!
//! [`Relay`] is the protocol: packets in, packets out, no sockets and no clock. [`serve`] connects it to UDP, TCP and TLS.
//! Whoever asks proves nothing until its credentials are checked, so until then nothing of it is stored: nonces are
//! computed, not remembered ([`nonce`]).
//!
//! [`StackAuthority`], [`Withdrawals`] and [`Usage`] make it part of a stack: the credentials of `POST /ticket`, what is
//! withdrawn from accounts, and the traffic of a month.

mod allocations;
mod authority;
pub mod client;
mod counters;
mod data;
mod limits;
pub mod memory;
mod message;
mod nonce;
mod rate;
mod relay;
mod requests;
mod server;
mod usage;
mod withdrawals;

pub use allocations::{Client, Path};
pub use authority::StackAuthority;
pub use counters::{Counters, Refused};
pub use limits::Limits;
pub use relay::{Authority, Grant, Relay, Settings};
pub use server::{Listeners, Running, TlsSettings, bind, serve};
pub use usage::Usage;
pub use withdrawals::Withdrawals;
