//! Rings: a friend is called in all tabs, the first tab to answer wins, and every ring ends.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::hub::{HubState, RoomState};
use crate::ids::PeerId;
use crate::protocol::{Done, ErrorCode, Refused, ServerMessage};
use crate::session::Session;
use peersync_server::email_address::key_of;

const OVER: Refused = Refused(ErrorCode::RingOver, "this ring has ended");
const GUEST: Refused = Refused(ErrorCode::Forbidden, "guests cannot ring or be rung; sign in");

/// All rings, by callee.
#[derive(Debug, Default)]
pub struct Rings {
    by_callee: HashMap<Arc<str>, Vec<Ring>>,
    /// All rings have the same duration, so the oldest ends first.
    deadlines: VecDeque<(Duration, Arc<str>, u64)>,
    last: u64,
}

#[derive(Debug)]
struct Ring {
    number: u64,
    began: Duration,
    room: Arc<str>,
    /// The callee's address as the first caller typed it.
    to: Arc<str>,
    /// Whether the callee does not hear it, because the two are no longer friends. The callers hear that it was missed
    /// once its time is over, as if nobody had been there.
    silent: bool,
    /// The callers: several if members of the same room ring the same friend.
    callers: Vec<PeerId>,
    /// The key of the first caller's address, the address as people are shown it, and the name.
    caller: Arc<str>,
    from: Arc<str>,
    name: Arc<str>,
}

impl Rings {
    /// Returns the number of rings.
    pub fn len(&self) -> usize {
        self.by_callee.values().map(Vec::len).sum()
    }

    /// Returns the rings that this callee hears.
    fn audible(&self, callee: &str) -> impl Iterator<Item = &Ring> {
        self.by_callee.get(callee).into_iter().flatten().filter(|ring| !ring.silent)
    }

    /// Returns the ring that this callee hears from a room.
    fn find(&mut self, callee: &str, room: &str) -> Option<&mut Ring> {
        self.by_callee.get_mut(callee)?.iter_mut().find(|ring| *ring.room == *room && !ring.silent)
    }

    fn get_mut(&mut self, callee: &str, number: u64) -> Option<&mut Ring> {
        self.by_callee.get_mut(callee)?.iter_mut().find(|ring| ring.number == number)
    }

    fn take(&mut self, callee: &str, which: impl Fn(&Ring) -> bool) -> Option<Ring> {
        let rings = self.by_callee.get_mut(callee)?;
        let ring = rings.iter().position(which).map(|at| rings.remove(at));
        if rings.is_empty() {
            self.by_callee.remove(callee);
        }
        ring
    }
}

impl Ring {
    fn rung(&self) -> ServerMessage {
        ServerMessage::Rung { from: self.from.to_string(), name: self.name.to_string(), room: self.room.to_string() }
    }
}

impl HubState {
    /// Rings a user, at the address in any spelling. The caller must have checked that they are friends.
    ///
    /// # Errors
    /// The caller is a guest or not in that room, there are too many rings, or the callee declined a short time ago.
    pub fn ring(&mut self, caller: &Session, to: &str, room: &str, now: Duration) -> Done {
        let (Some(key), Some(from)) = (&caller.who.email, &caller.who.address) else { return Err(GUEST) };
        let room = match self.room_state(caller.peer) {
            RoomState::In(id) if *id == *room => id,
            _ => return Err(Refused(ErrorCode::NotInRoom, "join the room before you ring somebody to it")),
        };
        let callee: Arc<str> = key_of(to).into();
        let many = Refused(ErrorCode::TooMany, "too many rings at once");
        let Some(entry) = self.sessions.get(&caller.peer) else { return Err(OVER) };
        let again = entry.ringing.contains(&callee);
        if !again && entry.ringing.len() >= self.limits.rings_from {
            return Err(many);
        }
        if let Some(ring) = self.rings.find(&callee, &room) {
            if !again {
                ring.callers.push(caller.peer);
            }
        } else {
            let own = self.rings_of(key, &callee);
            if own.is_empty() && self.rings.audible(&callee).count() >= self.limits.rings_to {
                return Err(many);
            }
            self.pacing.ring(key, &callee, &self.limits, self.now)?;
            // For the callee one person is one ring: that to the newest room.
            own.into_iter().for_each(|(peer, room)| self.cancel(peer, &callee, Some(&*room)));
            self.begin_ring(caller, (key, from), (&callee, to), room.clone(), now);
        }
        if let Some(entry) = self.sessions.get_mut(&caller.peer).filter(|_| !again) {
            entry.ringing.push(Arc::clone(&callee));
        }
        let online = self.users.contains_key(&callee);
        caller.send(&ServerMessage::Ringing { to: to.to_owned(), room: room.to_string(), online });
        Ok(())
    }

    /// Begins a ring of `session`, whose user has this key and address, to the user with this key, by the address as it was
    /// typed.
    fn begin_ring(
        &mut self,
        session: &Session,
        (caller, from): (&Arc<str>, &Arc<str>),
        (callee, to): (&Arc<str>, &str),
        room: Arc<str>,
        now: Duration,
    ) {
        self.rings.last += 1;
        let (number, name) = (self.rings.last, Arc::clone(&session.who.name));
        let (caller, from, to) = (Arc::clone(caller), Arc::clone(from), to.into());
        let callers = vec![session.peer];
        let ring = Ring { number, began: now, room, to, silent: false, callers, caller, from, name };
        let message = ring.rung();
        self.rings.by_callee.entry(Arc::clone(callee)).or_default().push(ring);
        self.rings.deadlines.push_back((now + self.limits.ring, Arc::clone(callee), number));
        self.tell_user(callee, &message);
    }

    /// Returns the sessions of a user that ring the callee, with the room of each.
    fn rings_of(&self, user: &Arc<str>, callee: &str) -> Vec<(PeerId, Arc<str>)> {
        let is_own = |peer: &PeerId| self.session(*peer).is_some_and(|other| other.who.email.as_ref() == Some(user));
        let own = |ring: &Ring| {
            let peers = ring.callers.iter().copied().filter(|peer| is_own(peer));
            peers.map(|peer| (peer, Arc::clone(&ring.room))).collect::<Vec<_>>()
        };
        self.rings.audible(callee).flat_map(own).collect()
    }

    /// Accepts a ring, `now` since the server's start. Under the lock only the first tab succeeds.
    ///
    /// # Errors
    /// The ring no longer exists.
    pub fn accept(&mut self, session: &Session, room: &str, now: Duration) -> Done {
        let (email, ring) = self.answered(session, room)?;
        self.tally.answered(now.saturating_sub(ring.began).as_secs_f64());
        self.invite(&email, room);
        let (room, from) = (room.to_owned(), address_of(session));
        self.tell_all(&ring.callers, &ServerMessage::Accepted { room: room.clone(), from, peer: None });
        let peer = Some(session.peer.to_string());
        self.tell_user(&email, &ServerMessage::Accepted { room, from: None, peer });
        Ok(())
    }

    /// Rejects a ring for all tabs. Its callers pause before they can ring again.
    ///
    /// # Errors
    /// The ring no longer exists.
    pub fn reject(&mut self, session: &Session, room: &str) -> Done {
        let (email, ring) = self.answered(session, room)?;
        let callers: Vec<_> = ring.callers.iter().filter_map(|peer| self.session(*peer)?.who.email.clone()).collect();
        for caller in callers {
            self.pacing.decline(&caller, &email, &self.limits, self.now);
        }
        let (room, from) = (room.to_owned(), address_of(session));
        self.tell_all(&ring.callers, &ServerMessage::Rejected { room: room.clone(), from, peer: None });
        let peer = Some(session.peer.to_string());
        self.tell_user(&email, &ServerMessage::Rejected { room, from: None, peer });
        Ok(())
    }

    /// Cancels the caller's rings, all or only those named. Does nothing for rings that have ended.
    pub fn cancel_rings(&mut self, caller: PeerId, to: Option<&str>, room: Option<&str>) {
        let Some(entry) = self.sessions.get(&caller) else { return };
        if entry.ringing.is_empty() {
            return;
        }
        let to = to.map(key_of);
        let named = |callee: &&Arc<str>| to.as_ref().is_none_or(|to| **to == ***callee);
        let callees: Vec<_> = entry.ringing.iter().filter(named).cloned().collect();
        for callee in callees {
            self.cancel(caller, &callee, room);
        }
    }

    fn cancel(&mut self, caller: PeerId, callee: &Arc<str>, room: Option<&str>) {
        let Some(rings) = self.rings.by_callee.get_mut(callee) else { return };
        let matches = |ring: &&mut Ring| room.is_none_or(|room| room == &*ring.room);
        let Some(ring) = rings.iter_mut().filter(matches).find(|ring| ring.callers.contains(&caller)) else { return };
        ring.callers.retain(|other| *other != caller);
        let (number, nobody, id) = (ring.number, ring.callers.is_empty(), ring.room.to_string());
        let to = Some(ring.to.to_string());
        self.no_longer_rings(&[caller], callee);
        self.tell(caller, &ServerMessage::Missed { room: id, from: None, to });
        if nobody && let Some(ring) = self.rings.take(callee, |ring| ring.number == number) {
            self.missed(callee, &ring);
        }
    }

    /// Ends rings that were not answered in time.
    pub(crate) fn expire_rings(&mut self, now: Duration) {
        while self.rings.deadlines.front().is_some_and(|(deadline, ..)| *deadline <= now) {
            let Some((_, callee, number)) = self.rings.deadlines.pop_front() else { return };
            if let Some(ring) = self.rings.take(&callee, |ring| ring.number == number) {
                self.no_longer_rings(&ring.callers, &callee);
                let to = Some(ring.to.to_string());
                self.tell_all(&ring.callers, &ServerMessage::Missed { room: ring.room.to_string(), from: None, to });
                self.missed(&callee, &ring);
            }
        }
    }

    /// Ends the rings between two users who are no longer friends, for the one who is rung.
    pub(crate) fn separate(&mut self, one: &Arc<str>, other: &Arc<str>) {
        for (callee, caller) in [(one, other), (other, one)] {
            let numbers: Vec<_> = self.rings.audible(callee).map(|ring| ring.number).collect();
            for number in numbers {
                self.silence(callee, caller, number);
            }
        }
    }

    /// Removes the sessions of `caller` from a ring, which continues for the others.
    fn silence(&mut self, callee: &Arc<str>, caller: &Arc<str>, number: u64) {
        let is_caller =
            |peer: &PeerId| self.session(*peer).is_some_and(|session| session.who.email.as_ref() == Some(caller));
        let Some(ring) = self.rings.audible(callee).find(|ring| ring.number == number) else { return };
        let (gone, left): (Vec<_>, Vec<_>) = ring.callers.iter().copied().partition(is_caller);
        if gone.is_empty() {
            return;
        }
        let next = left.first().and_then(|peer| self.session(*peer)).map(|session| session.who.clone());
        let (room, first) = (ring.room.to_string(), ring.caller == *caller);
        if first {
            self.missed(callee, ring);
        }
        let Some(ring) = self.rings.get_mut(callee, number) else { return };
        let to = Some(ring.to.to_string());
        let Some((name, key, from)) = next.and_then(|who| Some((who.name, who.email?, who.address?))) else {
            ring.silent = true;
            return;
        };
        ring.callers = left;
        if first {
            (ring.name, ring.caller, ring.from) = (name, key, from);
            let rung = ring.rung();
            self.tell_user(callee, &rung);
        }
        self.no_longer_rings(&gone, callee);
        self.tell_all(&gone, &ServerMessage::Missed { room, from: None, to });
    }

    /// Rings in a tab that was opened after the ring began.
    pub(crate) fn ring_the_newcomer(&self, session: &Session) {
        let Some(email) = &session.who.email else { return };
        for ring in self.rings.audible(email) {
            session.send(&ring.rung());
        }
    }

    fn answered(&mut self, session: &Session, room: &str) -> Result<(Arc<str>, Ring), Refused> {
        let Some(email) = &session.who.email else { return Err(GUEST) };
        let ring = self.rings.take(email, |ring| *ring.room == *room && !ring.silent).ok_or(OVER)?;
        self.no_longer_rings(&ring.callers, email);
        Ok((Arc::clone(email), ring))
    }

    fn no_longer_rings(&mut self, callers: &[PeerId], callee: &Arc<str>) {
        for caller in callers {
            if let Some(entry) = self.sessions.get_mut(caller) {
                entry.ringing.retain(|other| other != callee);
            }
        }
    }

    fn missed(&self, callee: &str, ring: &Ring) {
        if ring.silent {
            return;
        }
        let (room, from) = (ring.room.to_string(), Some(ring.from.to_string()));
        self.tell_user(callee, &ServerMessage::Missed { room, from, to: None });
    }
}

fn address_of(session: &Session) -> Option<String> {
    session.who.address.as_ref().map(|address| address.to_string())
}
