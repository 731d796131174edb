//! The beginning of a connection: its first message, and the session that comes of it.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::time::timeout;

use super::farewell::End;
use crate::signal::hub::Refused;
use crate::signal::ids::ResumeKey;
use crate::signal::protocol::{ClientMessage, ErrorCode, close};
use crate::signal::relay::{self, Incoming};
use crate::signal::server::Shared;
use crate::signal::session::{Identity, Session};
use crate::signal::websocket::{Frame, Socket};

/// Waits for the `hello` of connection `number`; its session, and whether that one goes on from before.
///
/// # Errors
/// Nobody said hello, or not as it should be.
pub async fn session(shared: &Shared, socket: &mut Socket, number: u64) -> Result<(Arc<Session>, bool), End> {
    match timeout(shared.limits.hello, hello(socket)).await {
        Ok(hello) => hello.and_then(|hello| greet(shared, hello, number)),
        Err(_) => Err(End::Close(close::NO_HELLO, Some(Refused(ErrorCode::HelloExpected, "no hello came in time")))),
    }
}

/// The first message, which must be `hello`.
async fn hello(socket: &mut Socket) -> Result<ClientMessage, End> {
    loop {
        // Pings are answered to those who have said who they are.
        let first = |frame: Frame<'_>| match frame {
            Frame::Text(text) => ControlFlow::Break(greeted(text)),
            Frame::Ping(_) | Frame::Pong(_) => ControlFlow::Continue(()),
            Frame::Binary => ControlFlow::Break(Err(End::Close(close::UNSUPPORTED, None))),
            Frame::Close(_) => ControlFlow::Break(Err(End::Lost)),
        };
        if let Some(first) = poll_fn(|context| socket.poll_frames(context, first)).await? {
            return first;
        }
    }
}

fn greeted(text: &str) -> Result<ClientMessage, End> {
    match relay::read(text) {
        Ok(Incoming::Message(hello @ ClientMessage::Hello { .. })) => Ok(hello),
        _ => {
            let expected = Refused(ErrorCode::HelloExpected, "the first message must be hello with a ticket");
            Err(End::Close(close::NO_HELLO, Some(expected)))
        }
    }
}

/// Checks the ticket; continues the old session or begins one.
fn greet(shared: &Shared, hello: ClientMessage, number: u64) -> Result<(Arc<Session>, bool), End> {
    let ClientMessage::Hello { ticket, resume, seen } = hello else { return Err(End::Lost) };
    let who: Identity = shared.tickets.admit(&ticket).map_err(|refused| End::Close(close::TICKET, Some(refused)))?;
    let now = shared.now();
    let mut hub = shared.hub.lock();
    let key = resume.and_then(|key| key.parse::<ResumeKey>().ok());
    if let Some(session) = key.and_then(|key| hub.resume(key, &who, number, seen)) {
        session.heard(now);
        shared.metrics.resumed.inc();
        return Ok((session, true));
    }
    let session = hub.open(who, number, now).map_err(|refused| End::Close(close::TOO_MANY, Some(refused)))?;
    drop(hub);
    shared.wheel.add(&session);
    Ok((session, false))
}
