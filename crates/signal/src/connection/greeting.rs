//! The beginning of a connection: its `hello`, and the session that it begins or resumes.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::time::timeout;

use super::farewell::CloseReason;
use super::standing::Standing;
use crate::addresses::Account;
use crate::ids::ResumeKey;
use crate::protocol::{ClientMessage, ErrorCode, Refused, close};
use crate::relay::{self, Incoming};
use crate::session::Session;
use crate::shared::Shared;
use peersync_server::newcomers::Newcomer;
use peersync_websocket::{Frame, Socket};

/// The maximum number of reads and control frames before the end of `hello`. It fits into one.
const MAX_FRAMES: usize = 64;

/// Waits for the `hello` of connection `number` from this network. Returns its session, and whether it was resumed.
///
/// # Errors
/// No valid `hello` came in time, the connection had to give way to newer ones, or the ticket was refused.
pub async fn session(
    shared: &Shared,
    socket: &mut Socket,
    number: u64,
    mut place: Newcomer,
    account: &Arc<Account>,
) -> Result<(Arc<Session>, bool), CloseReason> {
    let hello = tokio::select! {
        hello = timeout(shared.limits.hello, hello(socket)) => hello,
        () = place.displaced() => return Err(CloseReason::Displaced),
    };
    drop(place);
    match hello {
        Ok(hello) => Box::pin(greet(shared, hello?, number, account)).await,
        Err(_) => {
            Err(CloseReason::Close(close::NO_HELLO, Some(Refused(ErrorCode::HelloExpected, "no hello came in time"))))
        }
    }
}

/// Reads the first message, which must be `hello`.
async fn hello(socket: &mut Socket) -> Result<ClientMessage, CloseReason> {
    for _ in 0..MAX_FRAMES {
        // Pings are not answered before `hello`.
        let first = |frame: Frame<'_>| match frame {
            Frame::Text(text) => ControlFlow::Break(Some(greeted(text))),
            // Each breaks, so that it is counted.
            Frame::Ping(_) | Frame::Pong(_) | Frame::Fragment => ControlFlow::Break(None),
            Frame::Binary => ControlFlow::Break(Some(Err(CloseReason::Close(close::UNSUPPORTED, None)))),
            Frame::Close(_) => ControlFlow::Break(Some(Err(CloseReason::Lost))),
        };
        if let Some(Some(first)) = poll_fn(|context| socket.poll_frames(context, first)).await? {
            return first;
        }
    }
    let many = Refused(ErrorCode::HelloExpected, "the first message must be hello, in few frames");
    Err(CloseReason::Close(close::NO_HELLO, Some(many)))
}

fn greeted(text: &str) -> Result<ClientMessage, CloseReason> {
    match relay::read(text) {
        Ok(Incoming::Message(hello @ ClientMessage::Hello { .. })) => Ok(hello),
        _ => {
            let expected = Refused(ErrorCode::HelloExpected, "the first message must be hello");
            Err(CloseReason::Close(close::NO_HELLO, Some(expected)))
        }
    }
}

/// Resumes a session, or begins one: with a ticket, or as the continuation of one at another server.
async fn greet(
    shared: &Shared,
    hello: ClientMessage,
    number: u64,
    account: &Arc<Account>,
) -> Result<(Arc<Session>, bool), CloseReason> {
    let ClientMessage::Hello { ticket, resume, seen } = hello else { return Err(CloseReason::Lost) };
    let refuse = |refused| CloseReason::Close(close::TICKET, Some(refused));
    let admitted = match ticket {
        Some(ticket) => Some(shared.tickets.admit(&ticket, &shared.keys).await.map_err(refuse)?),
        None => None,
    };
    let (key, reentry) = resume.as_deref().map(ResumeKey::of_resume).unwrap_or_default();
    // A session that goes on needs no look-up: it ends by itself once its account signs out.
    let resumed = key.and_then(|key| shared.hub.lock().resume(key, admitted.as_ref(), account, number, seen));
    if let Some(session) = resumed {
        session.heard(shared.now());
        shared.metrics.resumed.inc();
        return Ok((session, true));
    }
    let who = match admitted {
        Some(who) => who,
        None => shared.reentries.admit(reentry.unwrap_or_default(), &shared.keys).await.map_err(refuse)?,
    };
    // In a box of its own, because only a new session needs a look-up, which takes 16 KB.
    Box::pin(Standing::of(&who, shared)).await.admit()?;
    let opened = shared.hub.lock().open(who, account, number, shared.now());
    let session = opened.map_err(|refused| CloseReason::Close(close::TOO_MANY, Some(refused)))?;
    shared.wheel.add(&session);
    Ok((session, false))
}
