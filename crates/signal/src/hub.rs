//! What sessions share, behind one lock that is held for microseconds and never across an await. Rooms, rings and
//! presence have a file each. This one has what they have in common: sessions begin, are lost, are resumed, and end.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use peersync_server::metrics::Tally;
use peersync_server::tickets::REENTRY_SECONDS;

use crate::addresses::{Account, CountedSession};
use crate::bounds::Bounds;
use crate::ids::{PeerId, ResumeKey};
use crate::limits::Limits;
use crate::metrics::Counts;
use crate::outbox::EndRequest;
use crate::pacing::Pacing;
use crate::presence::User;
use crate::protocol::{Done, ErrorCode, Refused, ServerMessage};
use crate::rings::Rings;
use crate::rooms::Room;
use crate::session::{Identity, Session};

/// The number of lost sessions that are ended without releasing the lock.
const ENDED_PER_LOCK: usize = 256;

/// For how long a session could be begun again by what was given out before: a minute by a ticket, longer by a re-entry.
const COULD_RETURN: Duration = Duration::from_secs(REENTRY_SECONDS.unsigned_abs());

/// All sessions, rooms and rings.
#[derive(Debug)]
pub struct Hub {
    state: Mutex<HubState>,
    tally: Arc<Tally>,
}

/// The state behind the lock.
#[derive(Debug)]
pub struct HubState {
    pub(crate) limits: Arc<Limits>,
    /// The maximum number of people in a room.
    pub(crate) capacity: usize,
    pub(crate) sessions: HashMap<PeerId, Entry>,
    pub(crate) users: HashMap<Arc<str>, User>,
    pub(crate) rooms: HashMap<Arc<str>, Room>,
    /// When each room ends, by the time since the server's start: the clock may be set during a call.
    pub(crate) room_ends: BTreeSet<(Duration, Arc<str>)>,
    pub(crate) rings: Rings,
    /// Sign-in sessions that have ended, and until when their tickets and re-entries could be used.
    ended_sign_ins: HashMap<Arc<str>, Duration>,
    pub(crate) pacing: Pacing,
    /// The number of friends of all users.
    pub(crate) tracked_friends: usize,
    /// Sessions without a connection, the one lost first at the front.
    lost: VecDeque<(Duration, PeerId)>,
    bounds: Arc<Bounds>,
    /// What is counted for the owner of the stack.
    pub(crate) tally: Arc<Tally>,
    /// The time of the last tick, since the server's start. What is limited per time needs no more exact one.
    pub(crate) now: Duration,
}

/// A session with its state in the hub.
#[derive(Debug)]
pub struct Entry {
    pub(crate) session: Arc<Session>,
    /// The network from which it is connected.
    pub(crate) origin: CountedSession,
    pub(crate) room: RoomState,
    /// Whether it has been in a room.
    pub(crate) entered: bool,
    /// The users that it rings.
    pub(crate) ringing: Vec<Arc<str>>,
    /// When it lost its connection.
    pub(crate) lost: Option<Duration>,
}

/// Whether a session is in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomState {
    /// It is in no room.
    Outside,
    /// It is a member of this room.
    In(Arc<str>),
    /// It waits to be admitted to this locked room.
    Knocking(Arc<str>),
}

impl Hub {
    /// Returns a hub without sessions.
    pub fn new(limits: Arc<Limits>, capacity: usize, bounds: Arc<Bounds>) -> Self {
        let tally = Arc::<Tally>::default();
        let state = HubState {
            limits,
            capacity,
            sessions: HashMap::new(),
            users: HashMap::new(),
            rooms: HashMap::new(),
            room_ends: BTreeSet::new(),
            rings: Rings::default(),
            ended_sign_ins: HashMap::new(),
            pacing: Pacing::default(),
            tracked_friends: 0,
            lost: VecDeque::new(),
            bounds,
            tally: Arc::clone(&tally),
            now: Duration::ZERO,
        };
        Self { state: Mutex::new(state), tally }
    }

    /// Locks the state for one short operation.
    pub fn lock(&self) -> MutexGuard<'_, HubState> {
        self.state.lock()
    }

    /// Returns what was counted for the owner of the stack.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }
}

impl HubState {
    /// Begins a session for connection `owner`, which comes from the network of this account.
    ///
    /// # Errors
    /// The server or the user has too many sessions.
    pub fn open(
        &mut self,
        who: Identity,
        account: &Arc<Account>,
        owner: u64,
        now: Duration,
    ) -> Result<Arc<Session>, Refused> {
        if self.sessions.len() >= self.limits.sessions {
            let full = Refused(ErrorCode::TooMany, "the server is full; try again later");
            let guest = self.guest_to_displace(who.email.is_some(), account).ok_or(full)?;
            self.end(guest);
        }
        if let Some(email) = &who.email {
            self.make_room_for(&Arc::clone(email))?;
        }
        let session = Session::new(who, Arc::clone(&self.bounds), owner, now);
        let entry = Entry {
            session: Arc::clone(&session),
            origin: CountedSession::new(account),
            room: RoomState::Outside,
            entered: false,
            ringing: Vec::new(),
            lost: None,
        };
        self.sessions.insert(session.peer, entry);
        self.came_online(&session);
        self.ring_the_newcomer(&session);
        Ok(session)
    }

    /// Returns the session that gives way to a newcomer when the server is full: a guest's, outside of a room rather than
    /// inside, of the network that has most. A guest only displaces one whose network has more than the own one.
    fn guest_to_displace(&self, is_user: bool, account: &Arc<Account>) -> Option<PeerId> {
        let guests = self.sessions.iter().filter(|(_, entry)| entry.session.who.email.is_none());
        let rank = |entry: &Entry| (!matches!(entry.room, RoomState::In(_)), entry.origin.0.weight());
        let (peer, entry) = guests.max_by_key(|(_, entry)| rank(entry))?;
        (is_user || entry.origin.0.weight() > account.weight() + 1).then_some(*peer)
    }

    /// Ends one of the user's lost sessions if the user has too many sessions for a new one.
    fn make_room_for(&mut self, email: &Arc<str>) -> Done {
        let Some(user) = self.users.get(email).filter(|user| user.sessions.len() >= self.limits.sessions_per_user)
        else {
            return Ok(());
        };
        let lost = user.sessions.iter().copied().find(|peer| self.is_lost(*peer));
        match lost {
            Some(peer) => self.end(peer),
            None => return Err(Refused(ErrorCode::TooMany, "too many tabs and devices are connected; close one")),
        }
        Ok(())
    }

    /// Returns the session of `key` for connection `owner` from this network, if everything after `seen` can still be
    /// sent. With a ticket it must be for the same `who`. A session whose key is right but that cannot be resumed ends.
    pub fn resume(
        &mut self,
        key: ResumeKey,
        who: Option<&Identity>,
        account: &Arc<Account>,
        owner: u64,
        seen: Option<u64>,
    ) -> Option<Arc<Session>> {
        let entry = self.sessions.get_mut(&key.peer)?;
        let before = &entry.session.who;
        let is_before = |who: &Identity| {
            before.email == who.email && before.generation == who.generation && before.room == who.room
        };
        if entry.session.key != key || !who.is_none_or(is_before) {
            return None;
        }
        if !entry.session.outbox.resume(owner, seen) {
            self.end(key.peer);
            return None;
        }
        entry.lost = None;
        if !Arc::ptr_eq(&entry.origin.0, account) {
            entry.origin = CountedSession::new(account);
        }
        Some(Arc::clone(&entry.session))
    }

    /// Records that connection `owner` of the session is gone. The session waits to be resumed.
    pub fn lose(&mut self, peer: PeerId, owner: u64, now: Duration) {
        let Some(entry) = self.sessions.get_mut(&peer) else { return };
        if !entry.session.outbox.detach(owner) {
            return;
        }
        if entry.session.outbox.can_resume() {
            entry.lost = Some(now);
            self.lost.push_back((now, peer));
        } else {
            self.end(peer);
        }
    }

    /// Ends the session.
    pub fn end(&mut self, peer: PeerId) {
        self.cancel_rings(peer, None, None);
        self.leave(peer);
        let Some(entry) = self.sessions.remove(&peer) else { return };
        entry.session.outbox.end(EndRequest::Over);
        self.went_offline(&entry.session);
    }

    /// Ends the sessions of a user that do not belong to this generation of the account; all of them without one.
    pub fn sign_out(&mut self, email: &str, generation: Option<&Arc<str>>) {
        let other = |who: &Identity| generation.is_none() || who.generation.as_ref() != generation;
        self.end_sessions(email, other);
    }

    /// Ends the sessions of a user that were begun with this sign-in session, and refuses those to come.
    pub fn end_sign_in(&mut self, email: &str, id: &str) {
        let now = self.now;
        self.ended_sign_ins.retain(|_, until| *until > now);
        self.ended_sign_ins.insert(id.into(), now + COULD_RETURN);
        self.end_sessions(email, |who| who.sign_in.as_deref() == Some(id));
    }

    /// Returns whether the sign-in session of this client has ended.
    pub fn has_signed_out(&self, who: &Identity) -> bool {
        who.sign_in.as_ref().is_some_and(|id| self.ended_sign_ins.contains_key(id))
    }

    fn end_sessions(&mut self, email: &str, which: impl Fn(&Identity) -> bool) {
        let sessions = self.users.get(email).map(|user| user.sessions.clone()).unwrap_or_default();
        for peer in sessions {
            if let Some(session) = self.session(peer).filter(|session| which(&session.who)) {
                session.outbox.end(EndRequest::SignedOut);
                self.end(peer);
            }
        }
    }

    /// Ends sessions that were not resumed in time, and rings that were not answered. Returns true if more must be
    /// ended: after a network failure it can be thousands, and others need the lock in between.
    pub fn expire(&mut self, now: Duration) -> bool {
        self.now = now;
        self.expire_rings(now);
        for _ in 0..ENDED_PER_LOCK {
            let over = |(since, _): &(Duration, PeerId)| now >= *since + self.limits.resume;
            let Some((since, peer)) = self.lost.front().copied().filter(over) else { return false };
            self.lost.pop_front();
            if self.sessions.get(&peer).is_some_and(|entry| entry.lost == Some(since)) {
                self.end(peer);
            }
        }
        true
    }

    /// Returns all sessions.
    pub fn all_sessions(&self) -> Vec<Arc<Session>> {
        self.sessions.values().map(|entry| Arc::clone(&entry.session)).collect()
    }

    /// Returns the counts for the metrics.
    pub fn counts(&self) -> Counts {
        Counts {
            sessions: self.sessions.len(),
            users: self.users.len(),
            rooms: self.rooms.len(),
            calls: self.rooms.values().filter(|room| room.members.len() > 1).count(),
            rings: self.rings.len(),
        }
    }

    pub(crate) fn is_lost(&self, peer: PeerId) -> bool {
        self.sessions.get(&peer).is_some_and(|entry| entry.lost.is_some())
    }

    pub(crate) fn session(&self, peer: PeerId) -> Option<&Arc<Session>> {
        self.sessions.get(&peer).map(|entry| &entry.session)
    }

    pub(crate) fn tell(&self, peer: PeerId, message: &ServerMessage) {
        if let Some(session) = self.session(peer) {
            session.send(message);
        }
    }

    pub(crate) fn tell_all<'a>(&self, peers: impl IntoIterator<Item = &'a PeerId>, message: &ServerMessage) {
        let json = message.to_json();
        for session in peers.into_iter().filter_map(|peer| self.session(*peer)) {
            session.send_json(&json);
        }
    }

    /// Sends a message to all sessions of a user.
    pub(crate) fn tell_user(&self, email: &str, message: &ServerMessage) {
        if let Some(user) = self.users.get(email) {
            self.tell_all(&user.sessions, message);
        }
    }
}

#[cfg(test)]
mod tests;
