//! One connection: a single task that reads its client, writes what waits, and answers.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::{SinkExt as _, StreamExt as _, future};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite;

use super::address::Place;
use super::directory::{Away, RoomRecord};
use super::hub::{Done, Refused};
use super::ids::ResumeKey;
use super::outbox::{Ending, Work};
use super::pace::Passing;
use super::presence::Friends;
use super::protocol::{ClientMessage, ErrorCode, ServerMessage, close};
use super::relay::{self, Incoming};
use super::server::Shared;
use super::session::{Identity, Session};

/// Messages written in one go, before incoming ones have a turn.
const BATCH: usize = 64;
/// How long a goodbye may take: our last words, and the client's close.
const FAREWELL: Duration = Duration::from_secs(1);
/// After a message that was too large: time for the client to read why, before unread bytes reset the connection.
const READ_WHY: Duration = Duration::from_millis(200);
/// Longest id of a room or address of a user that is looked at.
const LONGEST_KEY: usize = 254;
/// A browser that goes to another page closes with this code; its session cannot be resumed by the next page.
const GOING_AWAY: u16 = 1001;

const AWAY: Refused =
    Refused(ErrorCode::DirectoryUnavailable, "friends cannot be looked up at the moment; try again in a few seconds");
const NOT_FRIENDS: Refused = Refused(ErrorCode::NotFriends, "only accepted friends can be rung");
const NO_ROOM: Refused = Refused(ErrorCode::RoomNotFound, "there is no such room, or it has ended");
const GUEST_ROOM: Refused = Refused(ErrorCode::Forbidden, "guests can join the room of their ticket only");

/// A look-up under way. While there is one the client is not read: what it asks happens in order.
type Lookup = Pin<Box<dyn Future<Output = Found> + Send>>;

/// What DynamoDB answered.
enum Found {
    Friends(Result<Friends, Away>),
    Ring { to: String, room: String, friends: Result<bool, Away> },
    Room { id: Arc<str>, room: Result<Option<RoomRecord>, Away> },
}

/// Why a connection ends.
enum End {
    /// It broke, or the client closed it: the session waits.
    Lost,
    /// The client is done.
    Bye,
    /// We close: the code, and a last error. The session waits, where there is one.
    Close(u16, Option<Refused>),
    /// We close, and the session ends.
    Finish(u16, Refused),
}

/// What happened.
enum Event {
    Found(Found),
    Work(Work),
    Frame(Option<Result<Message, axum::Error>>),
}

struct Connection {
    shared: Arc<Shared>,
    socket: WebSocket,
    session: Arc<Session>,
    /// Its number; the outbox obeys only the latest of its session.
    number: u64,
    lookup: Option<Lookup>,
    /// The time in the ping under way, in microseconds since 1970.
    pinged: u64,
}

/// Serves a client from the upgrade to the end.
pub async fn serve(shared: Arc<Shared>, mut socket: WebSocket, mut place: Place) {
    let number = shared.next_number();
    let greeted = match timeout(shared.limits.hello, hello(&mut socket)).await {
        Ok(hello) => hello.and_then(|hello| greet(&shared, hello, number)),
        Err(_) => Err(End::Close(close::NO_HELLO, Some(Refused(ErrorCode::HelloExpected, "no hello came in time")))),
    };
    place.greeted();
    let (session, resumed) = match greeted {
        Ok(greeted) => greeted,
        Err(end) => {
            shared.metrics.closed(reason(&end));
            farewell(&mut socket, end).await;
            return;
        }
    };
    let mut connection = Connection { shared, socket, session, number, lookup: None, pinged: 0 };
    let end = connection.run(resumed).await;
    connection.finish(end).await;
}

/// The first message, which must be `hello`.
async fn hello(socket: &mut WebSocket) -> Result<ClientMessage, End> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                return match relay::read(&text) {
                    Ok(Incoming::Message(hello @ ClientMessage::Hello { .. })) => Ok(hello),
                    _ => Err(End::Close(
                        close::NO_HELLO,
                        Some(Refused(ErrorCode::HelloExpected, "the first message must be hello with a ticket")),
                    )),
                };
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Binary(_))) => return Err(End::Close(close::UNSUPPORTED, None)),
            Some(Err(error)) => return Err(broken(&error)),
            Some(Ok(Message::Close(_))) | None => return Err(End::Lost),
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

impl Connection {
    async fn run(&mut self, resumed: bool) -> End {
        let welcome = ServerMessage::Welcome {
            peer: self.session.peer.to_string(),
            resume: self.session.key.to_string(),
            heartbeat_s: self.shared.limits.heartbeat.as_secs().max(1),
            resumed,
        };
        if let Err(end) = self.write(0, Some(Message::Text(welcome.to_json().into()))).await {
            return end;
        }
        // A drain that began between the upgrade and now has not seen this session.
        if self.shared.is_draining() {
            self.session.outbox.announce(self.shared.retry_ms());
            self.session.outbox.end(Ending::Restart);
        }
        self.look_up_friends();
        loop {
            let event = self.next().await;
            let done = match event {
                Event::Found(found) => self.found(found),
                Event::Work(work) => self.work(work).await,
                Event::Frame(frame) => self.frame(frame).await,
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    async fn next(&mut self) -> Event {
        let Self { socket, session, number, lookup, .. } = self;
        let busy = lookup.is_some();
        tokio::select! {
            biased;
            found = async { match lookup.as_mut() { Some(lookup) => lookup.await, None => pending().await } }, if busy => {
                *lookup = None;
                Event::Found(found)
            }
            work = future::poll_fn(|context| session.outbox.poll_work(context, *number)) => Event::Work(work),
            frame = socket.next(), if !busy => Event::Frame(frame),
        }
    }

    async fn work(&mut self, work: Work) -> Result<(), End> {
        match work {
            Work::Write => self.write(BATCH, None).await,
            Work::Beat(number) => {
                self.pinged = micros_since_1970();
                let mut payload = [0; 16];
                let (left, right) = payload.split_at_mut(8);
                left.copy_from_slice(&number.to_be_bytes());
                right.copy_from_slice(&self.pinged.to_be_bytes());
                self.write(0, Some(Message::Ping(Bytes::copy_from_slice(&payload)))).await
            }
            Work::Announce(retry_ms) => {
                let draining = ServerMessage::Draining { retry_ms };
                self.write(0, Some(Message::Text(draining.to_json().into()))).await?;
                self.shared.told();
                Ok(())
            }
            Work::Replaced => Err(End::Close(close::REPLACED, None)),
            Work::End(Ending::Over) => Err(End::Close(close::REPLACED, None)),
            Work::End(Ending::Restart) => Err(End::Close(close::RESTART, None)),
            Work::End(Ending::Dead) => Err(End::Close(close::DEAD, None)),
            Work::End(Ending::TooSlow) => Err(End::Finish(
                close::TOO_SLOW,
                Refused(ErrorCode::TooSlow, "messages for you piled up and were lost; connect anew"),
            )),
        }
    }

    async fn frame(&mut self, frame: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.session.heard(self.shared.now());
        match frame {
            Some(Ok(Message::Text(text))) => self.text(&text).await,
            Some(Ok(Message::Pong(payload))) => {
                self.pong(&payload);
                Ok(())
            }
            Some(Ok(Message::Ping(_))) => Ok(()),
            Some(Ok(Message::Binary(_))) => Err(End::Close(close::UNSUPPORTED, None)),
            Some(Ok(Message::Close(Some(frame)))) if frame.code == GOING_AWAY => Err(End::Bye),
            Some(Ok(Message::Close(_))) | None => Err(End::Lost),
            Some(Err(error)) => Err(broken(&error)),
        }
    }

    /// Everything that was written before the ping has arrived.
    fn pong(&mut self, payload: &[u8]) {
        let Some((number, sent)) = payload.split_first_chunk::<8>() else { return };
        if self.pinged == 0 || sent != self.pinged.to_be_bytes() {
            return;
        }
        let passed = micros_since_1970().saturating_sub(self.pinged);
        self.pinged = 0;
        self.shared.metrics.round_trip.observe(Duration::from_micros(passed).as_secs_f64());
        self.session.outbox.acknowledged(u64::from_be_bytes(*number));
        // Presence that DynamoDB could not tell at the start is made up for.
        if self.session.who.email.as_deref().is_some_and(|email| !self.shared.hub.lock().has_friends(email)) {
            self.look_up_friends();
        }
    }

    async fn text(&mut self, text: &str) -> Result<(), End> {
        self.shared.metrics.received.inc();
        match self.session.pace.take(self.shared.now(), text.len(), &self.shared.limits) {
            Passing::Yes => {}
            Passing::TooFast => {
                self.refuse(Refused(ErrorCode::RateLimited, "too many messages; this one was dropped"), None);
                return Ok(());
            }
            Passing::Flood => {
                return Err(End::Finish(close::FLOOD, Refused(ErrorCode::RateLimited, "far too many messages")));
            }
        }
        match relay::read(text) {
            Ok(Incoming::Relay(relay)) => {
                let done = self.shared.hub.lock().relay(&self.session, &relay);
                self.relayed(done);
                Ok(())
            }
            Ok(Incoming::Message(message)) => self.message(message).await,
            Err(_) => {
                let refused = Refused(ErrorCode::BadMessage, "not JSON, no known type, or a field is missing or wrong");
                self.refuse(refused, None);
                Ok(())
            }
        }
    }

    async fn message(&mut self, message: ClientMessage) -> Result<(), End> {
        let kind = message.kind();
        let peer = self.session.peer;
        let done = match message {
            ClientMessage::Hello { .. } => Err(Refused(ErrorCode::HelloExpected, "you have said hello already")),
            ClientMessage::Join { room } => self.join(room.into()),
            ClientMessage::Leave => {
                self.shared.hub.lock().leave(peer);
                Ok(())
            }
            ClientMessage::Signal { to, description, candidate } => {
                if description.is_none() && candidate.is_none() {
                    Err(Refused(ErrorCode::BadMessage, "signal needs a description or a candidate"))
                } else {
                    let message = ServerMessage::Signal { from: peer.to_string(), description, candidate };
                    let done = self.shared.hub.lock().signal(&self.session, &to, &message);
                    self.relayed(done);
                    Ok(())
                }
            }
            ClientMessage::Ring { to, room } => self.ring(to, room),
            ClientMessage::RingCancel { to, room } => {
                self.shared.hub.lock().cancel_rings(peer, to.as_deref(), room.as_deref());
                Ok(())
            }
            ClientMessage::Accept { room } => self.shared.hub.lock().accept(&self.session, &room),
            ClientMessage::Reject { room } => self.shared.hub.lock().reject(&self.session, &room),
            ClientMessage::RoomLock { locked } => self.shared.hub.lock().lock_room(peer, locked),
            ClientMessage::RoomAdmit { peer: who, admit } => self.shared.hub.lock().admit(peer, &who, admit),
            ClientMessage::FriendsChanged => {
                if let Some(email) = &self.session.who.email {
                    self.shared.directory.forget_friends(email);
                    self.look_up_friends();
                }
                Ok(())
            }
            ClientMessage::Ping => {
                return self.write(usize::MAX, Some(Message::Text(ServerMessage::Pong.to_json().into()))).await;
            }
            ClientMessage::Pong => Ok(()),
            ClientMessage::Bye => return Err(End::Bye),
        };
        self.answer(done, kind);
        Ok(())
    }

    /// Into the room of the ticket, or as a signed-in user into one that exists.
    fn join(&mut self, id: Arc<str>) -> Done {
        let opened = self.session.who.room.as_ref() == Some(&id);
        if !opened && self.session.who.email.is_none() {
            return Err(GUEST_ROOM);
        }
        if id.is_empty() || id.len() > LONGEST_KEY {
            return Err(NO_ROOM);
        }
        let mut hub = self.shared.hub.lock();
        if opened && !hub.is_new(&id) {
            return hub.join(self.session.peer, &id, None);
        }
        drop(hub);
        let shared = Arc::clone(&self.shared);
        self.lookup = Some(Box::pin(async move {
            let room = shared.directory.room(Arc::clone(&id)).await;
            Found::Room { id, room }
        }));
        Ok(())
    }

    fn ring(&mut self, to: String, room: String) -> Done {
        let Some(caller) = self.session.who.email.clone() else {
            return Err(Refused(ErrorCode::Forbidden, "guests cannot ring; sign in"));
        };
        if to.len() > LONGEST_KEY || to.is_empty() {
            return Err(NOT_FRIENDS);
        }
        let shared = Arc::clone(&self.shared);
        self.lookup = Some(Box::pin(async move {
            let friends = shared.directory.may_ring(caller, to.as_str().into()).await;
            Found::Ring { to, room, friends }
        }));
        Ok(())
    }

    fn look_up_friends(&mut self) {
        let Some(email) = self.session.who.email.clone().filter(|_| self.lookup.is_none()) else { return };
        let shared = Arc::clone(&self.shared);
        self.lookup = Some(Box::pin(async move { Found::Friends(shared.directory.friends(email).await) }));
    }

    fn found(&mut self, found: Found) -> Result<(), End> {
        let mut hub = self.shared.hub.lock();
        let (done, kind) = match found {
            Found::Friends(friends) => {
                // Without an answer there is no presence for now; the next pong tries again.
                if let (Ok(friends), Some(email)) = (friends, &self.session.who.email) {
                    hub.befriend(email, &friends);
                }
                return Ok(());
            }
            Found::Ring { to, room, friends } => {
                let done = match friends {
                    Ok(true) => hub.ring(&self.session, &to, &room, self.shared.now()),
                    Ok(false) => Err(NOT_FRIENDS),
                    Err(Away) => Err(AWAY),
                };
                (done, "ring")
            }
            Found::Room { id, room } => {
                let opened = self.session.who.room.as_ref() == Some(&id);
                let done = match room {
                    Ok(None) if !opened => Err(NO_ROOM),
                    // While DynamoDB is away the API hands out no room either: who knows the id has it from before.
                    Ok(record) => hub.join(self.session.peer, &id, record),
                    Err(Away) => hub.join(self.session.peer, &id, None),
                };
                (done, "join")
            }
        };
        drop(hub);
        self.answer(done, kind);
        Ok(())
    }

    fn relayed(&self, done: Done) {
        match done {
            Ok(()) => {
                self.shared.metrics.relayed.inc();
            }
            Err(refused) => self.refuse(refused, Some("signal")),
        }
    }

    fn answer(&self, done: Done, kind: &'static str) {
        if let Err(refused) = done {
            self.refuse(refused, Some(kind));
        }
    }

    fn refuse(&self, Refused(code, message): Refused, about: Option<&'static str>) {
        self.shared.metrics.error(about.unwrap_or("unknown"));
        self.session.send(&ServerMessage::error(code, message, about));
    }

    /// Writes up to `most` waiting messages, and then `last`.
    async fn write(&mut self, most: usize, last: Option<Message>) -> Result<(), End> {
        let Self { socket, session, number, .. } = self;
        let writing = async {
            let mut count = 0;
            while count < most
                && let Some(text) = session.outbox.waiting(*number, count)
            {
                socket.feed(Message::Text(text)).await?;
                count += 1;
            }
            if let Some(last) = last {
                socket.feed(last).await?;
            }
            socket.flush().await?;
            Ok::<_, axum::Error>(count)
        };
        match timeout(self.shared.limits.write, writing).await {
            Ok(Ok(count)) => {
                self.session.outbox.wrote(self.number, count);
                Ok(())
            }
            Ok(Err(_)) => Err(End::Lost),
            Err(_) => {
                let slow = Refused(ErrorCode::TooSlow, "your connection takes no more bytes; connect anew");
                Err(End::Close(close::TOO_SLOW, Some(slow)))
            }
        }
    }

    async fn finish(mut self, end: End) {
        self.shared.metrics.closed(reason(&end));
        let (peer, now) = (self.session.peer, self.shared.now());
        match &end {
            End::Lost | End::Close(..) => self.shared.hub.lock().lose(peer, self.number, now),
            // Unless another connection has taken the session over.
            End::Bye | End::Finish(..) => {
                let mut hub = self.shared.hub.lock();
                if self.session.outbox.detach(self.number) {
                    hub.end(peer);
                }
            }
        }
        farewell(&mut self.socket, end).await;
    }
}

/// Says why, closes, and lets the client read it.
async fn farewell(socket: &mut WebSocket, end: End) {
    let (code, refused) = match end {
        End::Lost => (close::BYE, None),
        End::Bye => (close::BYE, None),
        End::Close(code, refused) => (code, refused),
        End::Finish(code, refused) => (code, Some(refused)),
    };
    let goodbye = async {
        if let Some(Refused(code, message)) = refused {
            let error = ServerMessage::error(code, message, None);
            socket.feed(Message::Text(error.to_json().into())).await?;
        }
        let reason = refused.map_or("", |refused| refused.1).into();
        socket.feed(Message::Close(Some(CloseFrame { code, reason }))).await?;
        socket.flush().await?;
        if code == close::TOO_LARGE {
            tokio::time::sleep(READ_WHY).await;
        }
        while let Some(Ok(_)) = socket.next().await {}
        Ok::<_, axum::Error>(())
    };
    // A client that is gone hears nothing, and one that does not answer is not waited for.
    let _ = timeout(FAREWELL, goodbye).await;
}

/// What an error in reading means.
fn broken(error: &axum::Error) -> End {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<tungstenite::Error>());
    match cause {
        Some(tungstenite::Error::Capacity(_)) => {
            End::Close(close::TOO_LARGE, Some(Refused(ErrorCode::TooLarge, "a message may have 64 KiB")))
        }
        Some(tungstenite::Error::Utf8(_)) => End::Close(close::NOT_UTF8, None),
        Some(tungstenite::Error::Protocol(error))
            if *error != tungstenite::error::ProtocolError::ResetWithoutClosingHandshake =>
        {
            End::Close(close::PROTOCOL, None)
        }
        _ => End::Lost,
    }
}

/// For the metrics.
fn reason(end: &End) -> &'static str {
    match end {
        End::Lost => "lost",
        End::Bye => "bye",
        End::Close(code, _) | End::Finish(code, _) => match *code {
            close::NO_HELLO => "no hello",
            close::TICKET => "ticket",
            close::REPLACED => "replaced",
            close::DEAD => "dead",
            close::TOO_MANY => "too many",
            close::TOO_SLOW => "too slow",
            close::TOO_LARGE => "too large",
            close::FLOOD => "flood",
            close::RESTART => "restart",
            _ => "protocol",
        },
    }
}

fn micros_since_1970() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
