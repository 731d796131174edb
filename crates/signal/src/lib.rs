//! The signaling server: introduces browsers that then connect to each other directly.
//!
//! A browser connects to `/ws`, says `hello` with a one-use ticket of the API, joins a room and exchanges session
//! descriptions and candidates with the others in it. Friends ring each other and see who is online. The messages are
//! in [`protocol`], bounds and times in [`limits`].
//!
//! [`server`] has the HTTP routes, `admission` decides which upgrades become connections. Each connection is a task in
//! `connection`, which reads its client through [`peersync_websocket`] and writes what waits in the session's `outbox`.
//! `hub` holds what sessions share, a state machine behind one lock that never waits: rooms, rings, presence.
//! `directory` queries DynamoDB, `withdrawals` ends what somebody has withdrawn there. A session outlives its connection by thirty seconds, so that a call survives a change
//! of network.
//!
//! Sessions live in this process only. At the next one clients get a new session, by `reentry` without a ticket, and join
//! their room again; media is not affected.

mod addresses;
mod admission;
mod bounds;
mod calls;
mod connection;
mod directory;
mod drain;
mod handover;
mod heartbeat;
mod hub;
mod ids;
mod keys;
mod listen;
mod metrics;
mod occupancy;
mod outbox;
mod pacing;
mod partials;
mod presence;
mod rate_limiter;
mod reentry;
mod rings;
mod rooms;
mod session;
mod shared;
mod tickets;
mod used;
mod withdrawals;

pub mod limits;
pub mod memory;
pub mod protocol;
pub mod quick_tunnel;
pub mod relay;
pub mod server;
pub mod tunnel;

pub use drain::Drained;
pub use limits::Limits;
pub use listen::{bind, serve};
pub use occupancy::tell_occupancy;
pub use server::Server;
pub use shared::Parts;
