//! WebSocket as a server for browsers needs it (RFC 6455, the server's side, without extensions), written for many
//! connections that are idle most of the time: between two messages a connection holds no buffer. Under load one read
//! takes many messages, which are parsed in place, and one write sends many.
//!
//! [`Handshake`] turns an HTTP request into a connection, [`Socket`] reads and writes it. What waits to be written
//! belongs to the caller: see [`FrameSource`].

mod frame;
mod handshake;
mod socket;

pub use self::frame::{
    Assembly, Frame, InvalidFrame, close_frame, ping_frame, pong_frame, text_frame, text_frame_header,
};
pub use self::handshake::{Handshake, NoHandshake, accept_key};
pub use self::socket::{FrameSource, ReadError, Socket, Written};
