//! The signaling server: brings browsers together that then talk to each other directly.
//!
//! A browser connects to `/ws`, says `hello` with a one-use ticket of the API, joins a room and exchanges session
//! descriptions and candidates with the others in it. Friends ring each other and see who is online. The messages are in
//! [`protocol`]; bounds and times in [`limits`].
//!
//! How the parts hang together: [`server`] accepts and refuses connections; each one is a task in `connection`, which
//! reads its client through [`websocket`] and writes what waits in the session's [`outbox`]. What sessions do to each other happens in
//! [`hub`], a state machine behind one lock that never waits for anything: rooms, rings, presence. [`directory`] asks
//! DynamoDB. A session outlives its connection by thirty seconds, so that a call survives a change of network.
//!
//! Sessions live in this process alone. After a restart clients get a new session and join their room again; media
//! does not notice.

mod address;
mod bounds;
mod connection;
mod directory;
mod drain;
mod heartbeat;
mod hub;
mod ids;
mod listen;
mod metrics;
mod outbox;
mod pace;
mod presence;
mod relay;
mod rings;
mod rooms;
mod session;
mod tickets;
mod websocket;

pub mod limits;
pub mod protocol;
pub mod server;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use drain::Drained;
pub use limits::Limits;
pub use listen::{bind, serve};
pub use server::{Ingress, Parts, Server};

/// Locks, also after a panic elsewhere: what is behind our locks is whole between any two statements that may panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
