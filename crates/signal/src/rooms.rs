//! Rooms: members, knocks, and the messages between members.

use std::sync::Arc;
use std::time::Duration;

use crate::addresses::Account;
use crate::calls::{Call, Way};
use crate::directory::RoomRecord;
use crate::hub::{HubState, RoomState};
use crate::ids::PeerId;
use crate::outbox::Sender;
use crate::pacing::Visitor;
use crate::protocol::{Done, ErrorCode, Member, Refused, ServerMessage};
use crate::relay::Relay;
use crate::session::Session;

const NOT_IN_ROOM: Refused = Refused(ErrorCode::NotInRoom, "you are not in a room");
const NO_SUCH_PEER: Refused = Refused(ErrorCode::NoSuchPeer, "this peer is not in your room");
const NOT_TAKEN: Refused =
    Refused(ErrorCode::RateLimited, "this peer has not received your earlier messages yet; this one was dropped");
const CROWD: Refused = Refused(ErrorCode::TooMany, "too many people wait at the door; try again later");
const FULL: Refused = Refused(ErrorCode::RoomFull, "the room is full");

/// A room with members. Empty rooms are not kept: the lasting part is in DynamoDB.
#[derive(Debug)]
pub struct Room {
    /// The members in the order in which they joined, including those that wait to be resumed.
    pub(crate) members: Vec<PeerId>,
    knocking: Vec<PeerId>,
    locked: bool,
    /// The record in DynamoDB: its creator may always enter, it may have been created locked, and it ends.
    record: RoomRecord,
    /// When it ends, by the time since the server's start.
    ends: Duration,
    /// Users who accepted a ring to this room, and need not knock.
    invited: Vec<Arc<str>>,
    /// The last call, once a second member has come.
    call: Option<Call>,
    /// Whether all who have come so far go on from another server: then so does their call.
    goes_on: bool,
}

impl Room {
    fn new(record: RoomRecord, ends: Duration) -> Self {
        let (locked, members, knocking, invited) = (record.locked, Vec::new(), Vec::new(), Vec::new());
        Self { members, knocking, locked, record, ends, invited, call: None, goes_on: true }
    }

    /// Returns whether this user need not knock.
    fn expects(&self, email: &Arc<str>) -> bool {
        self.invited.contains(email) || self.record.owner == *email
    }
}

impl HubState {
    /// Returns the record of a room that somebody is in or knocks at. Any other must be looked up before it is joined.
    pub fn room_record(&self, id: &str) -> Option<RoomRecord> {
        self.rooms.get(id).map(|room| room.record.clone())
    }

    /// Enters the room of this record, or knocks if it is locked. `unix` is the time in seconds since 1970.
    ///
    /// # Errors
    /// It is full, too many others knock, or the visitor has knocked too often or was turned away a short time ago.
    pub fn join(&mut self, peer: PeerId, id: &Arc<str>, record: RoomRecord, unix: i64) -> Done {
        match self.room_state(peer) {
            RoomState::In(room) if room == *id => {
                self.tell_joined(peer, id);
                return Ok(());
            }
            RoomState::Knocking(room) if room == *id => return Ok(()),
            _ => self.leave(peer),
        }
        let Some(session) = self.session(peer).cloned() else { return Ok(()) };
        self.end_ghosts(&session, id);
        let capacity = self.capacity;
        let left = u64::try_from(record.expires_at.saturating_sub(unix)).unwrap_or_default();
        let ends = self.now + Duration::from_secs(left);
        let room = self.rooms.entry(Arc::clone(id)).or_insert_with(|| {
            self.room_ends.insert((ends, Arc::clone(id)));
            Room::new(record, ends)
        });
        if room.members.len() >= capacity {
            return Err(FULL);
        }
        if !room.locked || session.who.email.as_ref().is_some_and(|email| room.expects(email)) {
            self.enter(peer, id);
            return Ok(());
        }
        let knocked = self.start_knocking(&session, id);
        if knocked.is_err() {
            self.forget_if_unused(id);
        }
        knocked
    }

    fn start_knocking(&mut self, session: &Arc<Session>, id: &Arc<str>) -> Done {
        let visitor = self.visitor(session.peer).ok_or(NOT_IN_ROOM)?;
        let waiting = self.rooms.get(id).map_or(0, |room| room.knocking.len());
        let is_crowded = waiting >= self.limits.knocking;
        let displaced = if is_crowded { Some(self.knock_to_displace(&visitor, id).ok_or(CROWD)?) } else { None };
        self.pacing.knock(session.peer, &session.who, (Arc::clone(id), visitor), &self.limits, self.now)?;
        if let Some(room) = self.rooms.get_mut(id) {
            room.knocking.push(session.peer);
        }
        self.set_room_state(session.peer, RoomState::Knocking(Arc::clone(id)));
        self.tell_knock(session, id);
        if let Some(displaced) = displaced {
            self.leave(displaced);
            self.tell(displaced, &ServerMessage::error(CROWD.0, CROWD.1, Some("join")));
        }
        Ok(())
    }

    /// Ends the rooms whose time is over at `now`, since the server's start. Everybody in them is told, and outside.
    pub fn end_rooms(&mut self, now: Duration) {
        while let Some((end, id)) = self.room_ends.pop_first() {
            if end > now {
                self.room_ends.insert((end, id));
                return;
            }
            let Some(room) = self.rooms.remove(&id) else { continue };
            let ended = ServerMessage::error(ErrorCode::RoomNotFound, "the room has ended", None);
            for peer in room.members.into_iter().chain(room.knocking) {
                self.cancel_rings(peer, None, None);
                self.set_room_state(peer, RoomState::Outside);
                self.tell(peer, &ended);
            }
        }
    }

    /// Tells everybody who is inside a room.
    pub fn tell_members(&self, message: &ServerMessage) {
        self.tell_all(self.rooms.values().flat_map(|room| &room.members), message);
    }

    /// Forgets a room that nobody has entered: its record must be read again for the next one.
    fn forget_if_unused(&mut self, id: &Arc<str>) {
        let Some(room) = self.rooms.get(id) else { return };
        if room.members.is_empty() && room.knocking.is_empty() {
            self.room_ends.remove(&(room.ends, Arc::clone(id)));
            self.rooms.remove(id);
        }
    }

    fn visitor(&self, peer: PeerId) -> Option<Visitor> {
        self.sessions.get(&peer).map(|entry| Visitor::of(&entry.session.who, &entry.origin.0))
    }

    /// Returns who gives up a place at the door for this visitor: the last one of the network that has most places, if it
    /// has at least two more than the visitor's; for a user any guest.
    fn knock_to_displace(&self, newcomer: &Visitor, id: &Arc<str>) -> Option<PeerId> {
        let waiting = &self.rooms.get(id)?.knocking;
        let groups: Vec<_> = waiting.iter().filter_map(|peer| Some((*peer, self.visitor(*peer)?))).collect();
        let count = |visitor: &Visitor| groups.iter().filter(|(_, other)| other == visitor).count();
        // The last of equals is the latest.
        let (peer, heaviest) = groups.iter().max_by_key(|(_, visitor)| count(visitor))?;
        let is_guest = |visitor: &Visitor| matches!(visitor, Visitor::Guest(_));
        if count(heaviest) >= count(newcomer) + 2 {
            return Some(*peer);
        }
        let guest = groups.iter().rev().find(|(_, visitor)| is_guest(visitor)).filter(|_| !is_guest(newcomer))?;
        Some(guest.0)
    }

    /// Leaves the room, or stops knocking.
    pub fn leave(&mut self, peer: PeerId) {
        let state = self.room_state(peer);
        let (RoomState::In(id) | RoomState::Knocking(id)) = &state else { return };
        self.cancel_rings(peer, None, None);
        self.set_room_state(peer, RoomState::Outside);
        let Some(room) = self.rooms.get_mut(id) else { return };
        room.members.retain(|member| *member != peer);
        room.knocking.retain(|waiting| *waiting != peer);
        let members = room.members.clone();
        self.tell_all(&members, &ServerMessage::PeerLeft { peer: peer.to_string() });
        if members.is_empty() {
            self.empty(id);
        }
    }

    /// Sends a `signal` to another member of the sender's room.
    ///
    /// # Errors
    /// The sender is in no room, the recipient is not in the same one, or has not taken the sender's earlier messages.
    pub fn relay(&self, from: &Session, relay: &Relay<'_>) -> Done {
        self.send_from(from, relay.to, &[r#""from":""#, &from.peer.to_string(), r#"","#, relay.fields])
    }

    /// Sends a `signal` that did not take the fast path.
    ///
    /// # Errors
    /// As for `relay`.
    pub fn signal(&self, from: &Session, to: &str, message: &ServerMessage) -> Done {
        self.send_from(from, to, &[message.to_json().get(1..).unwrap_or_default()])
    }

    fn send_from(&self, from: &Session, to: &str, pieces: &[&str]) -> Done {
        let (account, recipient) = self.fellow(from.peer, to)?;
        let sender = Sender { peer: from.peer, account };
        if recipient.outbox.push_from(sender, pieces) { Ok(()) } else { Err(NOT_TAKEN) }
    }

    /// Locks or opens the room. When it opens, everyone who knocks enters.
    ///
    /// # Errors
    /// The peer is in no room.
    pub fn lock_room(&mut self, peer: PeerId, locked: bool) -> Done {
        let RoomState::In(id) = self.room_state(peer) else { return Err(NOT_IN_ROOM) };
        let Some(room) = self.rooms.get_mut(&id) else { return Err(NOT_IN_ROOM) };
        room.locked = locked;
        let members = room.members.clone();
        let message = ServerMessage::RoomLock { room: id.to_string(), locked, by: peer.to_string() };
        self.tell_all(&members, &message);
        if !locked {
            self.let_all_in(&id);
        }
        Ok(())
    }

    /// Admits a peer that knocks, or turns it away.
    ///
    /// # Errors
    /// The caller is in no room, that peer does not knock, or the room is full.
    pub fn admit(&mut self, peer: PeerId, who: &str, admit: bool) -> Done {
        let RoomState::In(id) = self.room_state(peer) else { return Err(NOT_IN_ROOM) };
        let not_knocking = Refused(ErrorCode::NoSuchPeer, "this peer does not knock");
        let waiting: PeerId = who.parse().map_err(|()| not_knocking)?;
        if self.room_state(waiting) != RoomState::Knocking(Arc::clone(&id)) {
            return Err(not_knocking);
        }
        if !admit {
            let turned_away = self.session(waiting).cloned().zip(self.visitor(waiting));
            if let Some((session, visitor)) = turned_away {
                self.pacing.turn_away(&session.who, (Arc::clone(&id), visitor), &self.limits, self.now);
            }
            self.leave(waiting);
            let refusal = ServerMessage::error(ErrorCode::NotAdmitted, "you were not let in", Some("join"));
            self.tell(waiting, &refusal);
            return Ok(());
        }
        if self.rooms.get(&id).is_some_and(|room| room.members.len() >= self.capacity) {
            return Err(FULL);
        }
        self.enter(waiting, &id);
        Ok(())
    }

    /// Counts how a member reached another one. Outside of a call it means nothing.
    pub fn tell_way(&mut self, peer: PeerId, way: Way) {
        let RoomState::In(id) = self.room_state(peer) else { return };
        if let Some(call) = self.rooms.get_mut(&id).and_then(|room| room.call.as_mut()) {
            call.tell(way, &self.tally);
        }
    }

    /// Lets a user who accepted a ring enter without knocking.
    pub(crate) fn invite(&mut self, email: &Arc<str>, id: &str) {
        if let Some(room) = self.rooms.get_mut(id).filter(|room| !room.invited.contains(email)) {
            room.invited.push(Arc::clone(email));
        }
    }

    pub(crate) fn room_state(&self, peer: PeerId) -> RoomState {
        self.sessions.get(&peer).map_or(RoomState::Outside, |entry| entry.room.clone())
    }

    fn set_room_state(&mut self, peer: PeerId, state: RoomState) {
        if let Some(entry) = self.sessions.get_mut(&peer) {
            entry.room = state;
        }
    }

    /// Returns the account of the sender, and the recipient in the same room.
    fn fellow(&self, from: PeerId, to: &str) -> Result<(&Arc<Account>, &Arc<Session>), Refused> {
        let sender = self.sessions.get(&from).ok_or(NOT_IN_ROOM)?;
        let RoomState::In(_) = &sender.room else { return Err(NOT_IN_ROOM) };
        let recipient = to.parse().ok().and_then(|to: PeerId| self.sessions.get(&to)).ok_or(NO_SUCH_PEER)?;
        if recipient.room == sender.room { Ok((&sender.origin.0, &recipient.session)) } else { Err(NO_SUCH_PEER) }
    }

    fn enter(&mut self, peer: PeerId, id: &Arc<str>) {
        let Some(entry) = self.sessions.get_mut(&peer) else { return };
        let goes_on = entry.session.who.moved && !std::mem::replace(&mut entry.entered, true);
        let session = Arc::clone(&entry.session);
        let Some(room) = self.rooms.get_mut(id) else { return };
        room.goes_on &= goes_on;
        room.knocking.retain(|waiting| *waiting != peer);
        let others = room.members.clone();
        room.members.push(peer);
        if others.len() == 1 {
            room.call = Some(if room.goes_on { Call::default() } else { Call::begin(&self.tally) });
        }
        self.set_room_state(peer, RoomState::In(Arc::clone(id)));
        for other in others.iter().filter_map(|other| self.session(*other)) {
            other.send(&ServerMessage::PeerJoined(session.as_member(self.knows(other, &session))));
        }
        self.tell_joined(peer, id);
    }

    /// Tells a new member who is in the room, and who knocks.
    fn tell_joined(&self, peer: PeerId, id: &Arc<str>) {
        let (Some(session), Some(room)) = (self.session(peer), self.rooms.get(id)) else { return };
        let others = room.members.iter().filter(|other| **other != peer).filter_map(|other| self.session(*other));
        let peers = others.map(|other| other.as_member(self.knows(session, other))).collect();
        session.send(&ServerMessage::Joined { room: id.to_string(), peers, locked: room.locked });
        for waiting in room.knocking.iter().filter_map(|waiting| self.session(*waiting)) {
            session.send(&self.knock(session, waiting, id));
        }
    }

    fn tell_knock(&self, session: &Arc<Session>, id: &Arc<str>) {
        let Some(room) = self.rooms.get(id) else { return };
        for member in room.members.iter().filter_map(|member| self.session(*member)) {
            member.send(&self.knock(member, session, id));
        }
        session.send(&self.knock(session, session, id));
    }

    fn knock(&self, seen_by: &Session, session: &Session, id: &str) -> ServerMessage {
        let Member { peer, name, email, guest, was } = session.as_member(self.knows(seen_by, session));
        ServerMessage::Knock { room: id.to_owned(), peer, name, email, guest, was }
    }

    /// Ends the user's lost sessions in the room: after a crash the browser returns with a new session, and must not
    /// find its own place taken.
    fn end_ghosts(&mut self, session: &Session, id: &Arc<str>) {
        let (Some(email), Some(room)) = (&session.who.email, self.rooms.get(id)) else { return };
        let same = |peer: PeerId| self.session(peer).is_some_and(|other| other.who.email.as_ref() == Some(email));
        let ghosts: Vec<_> = room.members.iter().copied().filter(|peer| self.is_lost(*peer) && same(*peer)).collect();
        ghosts.into_iter().for_each(|ghost| self.end(ghost));
    }

    fn let_all_in(&mut self, id: &Arc<str>) {
        while let Some(room) = self.rooms.get(id).filter(|room| room.members.len() < self.capacity) {
            let Some(waiting) = room.knocking.first().copied() else { return };
            self.enter(waiting, id);
        }
    }

    /// Handles the last member's leave: the lock ends unless the room was created with it, and everyone who knocks
    /// enters.
    fn empty(&mut self, id: &Arc<str>) {
        let Some(room) = self.rooms.get_mut(id) else { return };
        room.locked = room.record.locked;
        let locked = room.locked;
        if room.knocking.is_empty() {
            self.room_ends.remove(&(room.ends, Arc::clone(id)));
            self.rooms.remove(id);
        } else if !locked {
            self.let_all_in(id);
        }
    }
}
