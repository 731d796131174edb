//! One connection: a single task that reads its client, writes what waits, and responds.
//!
//! The task is as large as the largest of its steps, for as long as it lives. So whatever is not waiting for the next message
//! is in a box that exists only meanwhile.

mod farewell;
mod greeting;
mod requests;
mod standing;

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use peersync_websocket::{Frame, Socket, ping_frame, pong_frame, text_frame};
use tokio::time::timeout;

use self::farewell::{CloseReason, farewell, reason};
use self::requests::{Found, Lookup};
use crate::addresses::Account;
use crate::outbox::{EndRequest, Work};
use crate::partials::Partial;
use crate::protocol::{ErrorCode, Refused, ServerMessage, close};
use crate::session::Session;
use crate::shared::Shared;
use peersync_server::newcomers::Newcomer;

/// The close code of a browser that navigates to another page, which cannot resume the session.
const GOING_AWAY: u16 = 1001;

/// What a connection has to handle next.
enum Event {
    Found(Found),
    Work(Work),
    /// Frames were read. The answer must be written before more are read.
    Frames(Option<Answer>),
}

/// A response that must be written before the next frame is read.
enum Answer {
    /// Write it at once.
    Now(Vec<u8>),
    /// Write it after everything that waits.
    Last(Vec<u8>),
    /// Write nothing, but complete a look-up first.
    Wait,
}

/// A socket and its client.
struct Connection {
    socket: Box<Socket>,
    client: Client,
}

/// The client of a connection.
struct Client {
    shared: Arc<Shared>,
    session: Arc<Session>,
    /// The connection's number. The outbox serves only the latest connection of its session.
    number: u64,
    lookup: Option<Lookup>,
    /// What it has sent of a message that is incomplete.
    partial: Partial,
    /// Whether a message was completed since `partial` was updated.
    completed: bool,
    /// When the pending ping was sent, in microseconds since 1970; 0 without one.
    pinged: u64,
    /// When it was given its `resume` last, since the server's start.
    renewed: Duration,
}

/// Serves a client from the upgrade to the close.
pub async fn serve(shared: Arc<Shared>, mut socket: Box<Socket>, greeting: Newcomer, account: &Arc<Account>) {
    let number = shared.next_number();
    let greeted = greeting::session(&shared, &mut socket, number, greeting, account).await;
    let (session, resumed) = match greeted {
        Ok(greeted) => greeted,
        Err(end) => {
            shared.metrics.closed(reason(&end));
            Box::pin(farewell(&mut socket, end)).await;
            return;
        }
    };
    socket.set_limit(shared.limits.message_bytes);
    let partial = shared.partials.of(number, account.widest().network);
    let renewed = shared.now();
    let client = Client { shared, session, number, lookup: None, partial, completed: false, pinged: 0, renewed };
    let mut connection = Connection { socket, client };
    let end = match connection.run(resumed).await {
        Err(end) => end,
        Ok(never) => match never {},
    };
    Box::pin(connection.finish(end)).await;
}

impl Connection {
    async fn run(&mut self, resumed: bool) -> Result<std::convert::Infallible, CloseReason> {
        Box::pin(self.welcome(resumed)).await?;
        loop {
            match poll_fn(|context| self.poll_event(context)).await? {
                Event::Found(found) => self.client.found(found)?,
                Event::Work(work) => self.work(work).await?,
                Event::Frames(Some(Answer::Now(frame))) => self.write(false, &frame).await?,
                Event::Frames(Some(Answer::Last(frame))) => self.write(true, &frame).await?,
                Event::Frames(None | Some(Answer::Wait)) => {}
            }
        }
    }

    async fn welcome(&mut self, resumed: bool) -> Result<(), CloseReason> {
        let welcome = self.client.welcome(resumed);
        self.write(false, &text_frame(&welcome.to_json())).await?;
        // A drain that began after the upgrade has not seen this session.
        if self.client.shared.is_draining() {
            self.client.session.outbox.announce(self.client.shared.retry_ms());
            self.client.session.outbox.end(EndRequest::Restart);
        }
        self.client.look_up_friends();
        Ok(())
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Result<Event, CloseReason>> {
        let Self { socket, client } = self;
        if let Some(lookup) = &mut client.lookup
            && let Poll::Ready(found) = lookup.as_mut().poll(context)
        {
            client.lookup = None;
            return Poll::Ready(Ok(Event::Found(found)));
        }
        if let Poll::Ready(work) = client.session.outbox.poll_work(context, client.number) {
            return Poll::Ready(Ok(Event::Work(work)));
        }
        if client.lookup.is_some() {
            return Poll::Pending;
        }
        // Frames of one read count as received at the same time.
        let mut now = None;
        let frames = socket.poll_frames(context, |frame| client.frame(frame, &mut now));
        if frames.is_ready() {
            client.has_read(socket.held());
        }
        frames.map(|frames| Ok(Event::Frames(frames?.transpose()?)))
    }

    async fn work(&mut self, work: Work) -> Result<(), CloseReason> {
        match work {
            Work::Write => self.write(true, &[]).await,
            Work::Beat(number) => {
                self.client.pinged = micros_since_1970();
                let payload = u128::from(number) << 64 | u128::from(self.client.pinged);
                self.write(false, &ping_frame(&payload.to_be_bytes())).await
            }
            Work::Announce(retry_ms) => Box::pin(self.announce(retry_ms)).await,
            Work::End(end) => Err(end.into()),
        }
    }

    async fn announce(&mut self, retry_ms: u64) -> Result<(), CloseReason> {
        let draining = ServerMessage::Draining { retry_ms };
        self.write(false, &text_frame(&draining.to_json())).await?;
        self.client.shared.count_notified();
        Ok(())
    }

    /// Writes what waits, if `waiting` is true, and then frames of this connection.
    async fn write(&mut self, waiting: bool, frames: &[u8]) -> Result<(), CloseReason> {
        // Most messages are written by this, which allocates nothing.
        if waiting && frames.is_empty() && poll_fn(|context| Poll::Ready(self.write_at_once(context))).await? {
            return Ok(());
        }
        Box::pin(self.write_in_time(waiting, frames)).await
    }

    /// Writes of what waits as much as the kernel takes at once. Returns whether that was everything.
    fn write_at_once(&mut self, context: &mut Context<'_>) -> Result<bool, CloseReason> {
        let Self { socket, client: Client { session, number, .. } } = self;
        loop {
            match pin!(socket.write_from(&mut session.outbox.writer(*number))).poll(context) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => return Ok(true),
                Poll::Ready(Err(_)) => return Err(CloseReason::Lost),
                Poll::Pending => return Ok(false),
            }
        }
    }

    async fn write_in_time(&mut self, waiting: bool, frames: &[u8]) -> Result<(), CloseReason> {
        let Self { socket, client: Client { shared, session, number, .. } } = self;
        let (limit, session) = (shared.limits.write, &**session);
        let mut more = waiting;
        while more {
            more = in_time(limit, session, *number, socket.write_from(&mut session.outbox.writer(*number))).await?;
        }
        // After half a frame the client would misread anything else. Another connection has taken over, so this one
        // closes.
        if frames.is_empty() || !socket.may_write() {
            return Ok(());
        }
        in_time(limit, session, *number, socket.write(frames)).await
    }

    async fn finish(&mut self, end: CloseReason) {
        // The errors about dropped messages are written before the one about too many.
        if let CloseReason::Finish(close::FLOOD, _) = end {
            let _ = self.write(true, &[]).await;
        }
        let Client { shared, session, number, .. } = &self.client;
        shared.metrics.closed(reason(&end));
        match &end {
            CloseReason::Lost | CloseReason::Displaced | CloseReason::Close(..) => {
                shared.hub.lock().lose(session.peer, *number, shared.now())
            }
            // Unless another connection has taken the session over.
            CloseReason::Bye | CloseReason::Finish(..) => {
                let mut hub = shared.hub.lock();
                if session.outbox.detach(*number) {
                    hub.end(session.peer);
                }
            }
        }
        farewell(&mut self.socket, end).await;
    }
}

impl Client {
    fn welcome(&self, resumed: bool) -> ServerMessage {
        ServerMessage::Welcome {
            peer: self.session.peer.to_string(),
            resume: self.shared.reentries.resume(&self.session, &self.shared.keys),
            heartbeat_s: self.shared.limits.heartbeat.as_secs().max(1),
            resumed,
        }
    }

    /// Returns another `resume` if that of before will soon not be valid at another server.
    fn renewed_resume(&mut self) -> Option<String> {
        let now = self.shared.now();
        if now < self.renewed + self.shared.limits.reentry {
            return None;
        }
        self.renewed = now;
        Some(self.shared.reentries.resume(&self.session, &self.shared.keys))
    }

    /// Records that bytes were received, of which `held` are kept.
    fn has_read(&mut self, held: usize) {
        let now = self.shared.now();
        self.session.heard(now);
        self.partial.hold(&self.session, held, std::mem::take(&mut self.completed), now);
    }

    /// Handles one frame, received at `now` if set. Breaks if something must be done before the next frame.
    fn frame(&mut self, frame: Frame<'_>, now: &mut Option<Duration>) -> ControlFlow<Result<Answer, CloseReason>> {
        let now = *now.get_or_insert_with(|| self.shared.now());
        self.completed |= matches!(frame, Frame::Text(_) | Frame::Binary);
        let answer = match frame {
            Frame::Text(text) => self.text(text, now),
            Frame::Ping(payload) => {
                self.within_rate(payload.len(), now).map(|pass| pass.then(|| Answer::Now(pong_frame(payload))))
            }
            Frame::Pong(payload) if self.is_awaited(payload) => {
                self.pong(payload);
                Ok(None)
            }
            Frame::Pong(payload) => self.within_rate(payload.len(), now).map(|_| None),
            Frame::Fragment => self.within_rate(0, now).map(|_| None),
            Frame::Binary => Err(CloseReason::Close(close::UNSUPPORTED, None)),
            Frame::Close(Some(GOING_AWAY)) => Err(CloseReason::Bye),
            Frame::Close(_) => Err(CloseReason::Lost),
        };
        match answer {
            Ok(Some(answer)) => ControlFlow::Break(Ok(answer)),
            Ok(None) if self.lookup.is_some() => ControlFlow::Break(Ok(Answer::Wait)),
            Ok(None) => ControlFlow::Continue(()),
            Err(end) => ControlFlow::Break(Err(end)),
        }
    }

    /// Returns whether a pong answers the pending ping.
    fn is_awaited(&self, payload: &[u8]) -> bool {
        let sent = payload.split_first_chunk::<8>().map(|(_, sent)| sent);
        self.pinged != 0 && sent == Some(&self.pinged.to_be_bytes())
    }

    /// Handles the pong: everything that was written before the ping has arrived.
    fn pong(&mut self, payload: &[u8]) {
        let Some((number, _)) = payload.split_first_chunk() else { return };
        let passed = micros_since_1970().saturating_sub(std::mem::take(&mut self.pinged));
        self.shared.metrics.round_trip.observe(Duration::from_micros(passed).as_secs_f64());
        self.session.outbox.acknowledged(u64::from_be_bytes(*number));
        // If DynamoDB was unavailable at the start, friends are looked up now.
        if self.session.who.email.as_deref().is_some_and(|email| !self.shared.hub.lock().has_friends(email)) {
            self.look_up_friends();
        }
    }
}

/// Limits the time of a write: a client that does not read blocks it. What ends connection `number` ends the write too.
async fn in_time<T>(
    limit: Duration,
    session: &Session,
    number: u64,
    writing: impl Future<Output = std::io::Result<T>>,
) -> Result<T, CloseReason> {
    tokio::select! {
        biased;
        written = timeout(limit, writing) => match written {
            Ok(written) => written.map_err(|_| CloseReason::Lost),
            Err(_) => {
                let slow = Refused(ErrorCode::TooSlow, "your connection accepts no more bytes; connect again");
                Err(CloseReason::Close(close::TOO_SLOW, Some(slow)))
            }
        },
        end = poll_fn(|context| session.outbox.poll_end(context, number)) => Err(end.into()),
    }
}

fn micros_since_1970() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
