//! The requests of clients, some of which need a look-up in DynamoDB.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use peersync_server::email_address::key_of;
use peersync_websocket::text_frame;

use super::farewell::{CloseReason, SIGNED_OUT};
use super::standing::{AWAY, Standing};
use super::{Answer, Client};
use crate::directory::{Away, Friends, RoomRecord};
use crate::protocol::{ClientMessage, Done, ErrorCode, Refused, ServerMessage, close};
use crate::rate_limiter::Decision;
use crate::relay::{self, Incoming};

/// The maximum length in bytes of a room's id or a user's address.
const MAX_KEY: usize = 254;

const NOT_FRIENDS: Refused = Refused(ErrorCode::NotFriends, "only accepted friends can be rung");
const NO_ROOM: Refused = Refused(ErrorCode::RoomNotFound, "there is no such room, or it has ended");
const GUEST_ROOM: Refused = Refused(ErrorCode::Forbidden, "guests can join the room of their ticket only");

/// A pending look-up. Until it completes the client is not read, so that its requests are handled in order.
pub type Lookup = Pin<Box<dyn Future<Output = Found> + Send>>;

/// The result of a look-up.
pub enum Found {
    /// The friends, and the number of changes that were noticed before.
    Friends(Result<(Friends, u64), Away>),
    /// What a request in the name of the account needs.
    Request(Standing, Request),
}

/// A request in the name of the account, with what was looked up for it.
pub enum Request {
    Ring { to: String, room: String, friends: Result<bool, Away> },
    Join { id: Arc<str>, room: Result<Option<RoomRecord>, Away> },
    Accept { room: String },
}

impl Request {
    fn kind(&self) -> &'static str {
        match self {
            Self::Ring { .. } => "ring",
            Self::Join { .. } => "join",
            Self::Accept { .. } => "accept",
        }
    }
}

impl Client {
    /// Handles a text frame.
    pub(super) fn text(&mut self, text: &str, now: Duration) -> Result<Option<Answer>, CloseReason> {
        self.shared.metrics.received.inc();
        if !self.within_rate(text.len(), now)? {
            self.refuse(Refused(ErrorCode::RateLimited, "too many messages; this one was dropped"), None);
            return Ok(None);
        }
        match relay::read(text) {
            Ok(Incoming::Relay(relay)) => {
                let done = self.shared.hub.lock().relay(&self.session, &relay);
                self.relayed(done);
                Ok(None)
            }
            Ok(Incoming::Message(message)) => self.message(message),
            Err(_) => {
                let refused = Refused(ErrorCode::BadMessage, "not JSON, no known type, or a field is missing or wrong");
                self.refuse(refused, None);
                Ok(None)
            }
        }
    }

    /// Returns whether the rate limit allows a message of this size now.
    ///
    /// # Errors
    /// The client keeps exceeding the limit.
    pub(super) fn within_rate(&self, bytes: usize, now: Duration) -> Result<bool, CloseReason> {
        match self.session.rate_limiter.take(now, bytes, &self.shared.limits) {
            Decision::Pass => Ok(true),
            Decision::Drop => Ok(false),
            Decision::Flood => {
                Err(CloseReason::Finish(close::FLOOD, Refused(ErrorCode::RateLimited, "far too many messages")))
            }
        }
    }

    fn message(&mut self, message: ClientMessage) -> Result<Option<Answer>, CloseReason> {
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
            ClientMessage::Accept { room } => self.accept(room),
            ClientMessage::Reject { room } => self.shared.hub.lock().reject(&self.session, &room),
            ClientMessage::RoomLock { locked } => self.shared.hub.lock().lock_room(peer, locked),
            ClientMessage::RoomAdmit { peer: who, admit } => self.shared.hub.lock().admit(peer, &who, admit),
            ClientMessage::Outcome { way } => {
                self.shared.hub.lock().tell_way(peer, way);
                Ok(())
            }
            ClientMessage::FriendsChanged => {
                let email = self.session.who.email.clone();
                email.map_or(Ok(()), |email| self.friends_changed(&email))
            }
            ClientMessage::Ping => {
                let pong = ServerMessage::Pong { resume: self.renewed_resume() };
                return Ok(Some(Answer::Last(text_frame(&pong.to_json()))));
            }
            ClientMessage::Pong => Ok(()),
            ClientMessage::Bye => return Err(CloseReason::Bye),
        };
        self.answer(done, kind);
        Ok(None)
    }

    /// Joins the room of the ticket; a signed-in user can also join any existing room.
    fn join(&mut self, id: Arc<str>) -> Done {
        let has_ticket = self.session.who.room.as_ref() == Some(&id);
        if !has_ticket && self.session.who.email.is_none() {
            return Err(GUEST_ROOM);
        }
        if id.is_empty() || id.len() > MAX_KEY {
            return Err(NO_ROOM);
        }
        let (shared, session) = (Arc::clone(&self.shared), Arc::clone(&self.session));
        self.lookup = Some(Box::pin(async move {
            let standing = Standing::of(&session.who, &shared).await;
            // While somebody is inside, the room is known without the database.
            let known = shared.hub.lock().room_record(&id);
            let room = match known {
                Some(record) => Ok(Some(record)),
                None => shared.directory.room(&session.payer(), Arc::clone(&id)).await,
            };
            Found::Request(standing, Request::Join { id, room })
        }));
        Ok(())
    }

    fn accept(&mut self, room: String) -> Done {
        let (shared, session) = (Arc::clone(&self.shared), Arc::clone(&self.session));
        self.lookup = Some(Box::pin(async move {
            Found::Request(Standing::of(&session.who, &shared).await, Request::Accept { room })
        }));
        Ok(())
    }

    fn ring(&mut self, to: String, room: String) -> Done {
        let Some(caller) = self.session.who.email.clone() else {
            return Err(Refused(ErrorCode::Forbidden, "guests cannot ring; sign in"));
        };
        if to.len() > MAX_KEY || to.is_empty() {
            return Err(NOT_FRIENDS);
        }
        let (shared, session) = (Arc::clone(&self.shared), Arc::clone(&self.session));
        self.lookup = Some(Box::pin(async move {
            let standing = Standing::of(&session.who, &shared).await;
            let friends = shared.directory.may_ring(caller, key_of(&to).into()).await;
            Found::Request(standing, Request::Ring { to, room, friends })
        }));
        Ok(())
    }

    fn friends_changed(&mut self, email: &Arc<str>) -> Done {
        let mut hub = self.shared.hub.lock();
        let now = self.shared.now();
        hub.may_look_up(email, now)?;
        drop(hub);
        self.shared.directory.forget_friends(email);
        self.look_up_friends();
        Ok(())
    }

    /// Looks up the user's friends, whom presence needs.
    pub(super) fn look_up_friends(&mut self) {
        let Some(email) = self.session.who.email.clone().filter(|_| self.lookup.is_none()) else { return };
        let shared = Arc::clone(&self.shared);
        self.lookup = Some(Box::pin(async move { Found::Friends(shared.directory.friends(email).await) }));
    }

    /// Handles the result of a look-up.
    ///
    /// # Errors
    /// The account is no longer signed in.
    pub(super) fn found(&mut self, found: Found) -> Result<(), CloseReason> {
        match found {
            // Without a result the user has no presence for now. The next pong tries again.
            Found::Friends(Err(Away)) => {}
            Found::Friends(Ok((friends, changes))) => self.befriend(&friends, changes),
            Found::Request(Standing::SignedOut, _) => return Err(CloseReason::Finish(close::SIGNED_OUT, SIGNED_OUT)),
            Found::Request(Standing::Unknown, request) => self.answer(Err(AWAY), request.kind()),
            Found::Request(Standing::Valid, request) => {
                let kind = request.kind();
                let done = self.perform(request);
                self.answer(done, kind);
            }
        }
        Ok(())
    }

    /// Sets the friends, unless a friendship has changed since they were looked up.
    fn befriend(&mut self, friends: &Friends, changes: u64) {
        let mut hub = self.shared.hub.lock();
        if changes != self.shared.directory.changes() {
            drop(hub);
            self.look_up_friends();
        } else if let Some(email) = &self.session.who.email {
            hub.befriend(email, friends);
        }
    }

    fn perform(&self, request: Request) -> Done {
        let mut hub = self.shared.hub.lock();
        match request {
            Request::Ring { friends: Err(Away), .. } | Request::Join { room: Err(Away), .. } => Err(AWAY),
            Request::Ring { friends: Ok(false), .. } => Err(NOT_FRIENDS),
            Request::Ring { to, room, .. } => hub.ring(&self.session, &to, &room, self.shared.now()),
            Request::Join { room: Ok(None), .. } => Err(NO_ROOM),
            Request::Join { id, room: Ok(Some(record)) } => {
                hub.join(self.session.peer, &id, record, self.shared.keys.now())
            }
            Request::Accept { room } => hub.accept(&self.session, &room, self.shared.now()),
        }
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
}
