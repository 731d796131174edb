//! Presence: which friends of a user are online. Only friends are told.

use std::sync::Arc;
use std::time::Duration;

use crate::directory::Friends;
use crate::hub::HubState;
use crate::ids::PeerId;
use crate::protocol::{Done, ServerMessage};
use crate::session::Session;

/// A user with at least one session.
#[derive(Debug, Default)]
pub struct User {
    pub(crate) sessions: Vec<PeerId>,
    /// The address as people are shown it, by the newest ticket.
    address: Arc<str>,
    /// `None` until DynamoDB has returned them.
    pub(crate) friends: Option<Friends>,
}

impl HubState {
    /// Adds a new session, and tells it which friends are online, if they are known already.
    pub(crate) fn came_online(&mut self, session: &Session) {
        let (Some(email), Some(address)) = (&session.who.email, &session.who.address) else { return };
        let user = self.users.entry(Arc::clone(email)).or_default();
        user.sessions.push(session.peer);
        user.address = Arc::clone(address);
        let friends = user.friends.clone();
        for address in friends.iter().flat_map(|friends| friends.iter()).filter_map(|friend| self.address(friend)) {
            session.send(&presence(&address, true));
        }
    }

    /// Removes a session. Without any session the user is offline.
    pub(crate) fn went_offline(&mut self, session: &Session) {
        let Some(email) = &session.who.email else { return };
        let Some(user) = self.users.get_mut(email) else { return };
        user.sessions.retain(|peer| *peer != session.peer);
        if !user.sessions.is_empty() {
            return;
        }
        let Some(user) = self.users.remove(email) else { return };
        self.tracked_friends -= user.friends.as_ref().map_or(0, |friends| friends.len());
        for friend in user.friends.iter().flat_map(|friends| friends.iter()) {
            self.tell_user(friend, &presence(&user.address, false));
        }
    }

    /// Sets the user's friends, and tells both sides about changes.
    pub fn befriend(&mut self, email: &Arc<str>, friends: &Friends) {
        let Some(user) = self.users.get_mut(email) else { return };
        let before = user.friends.take().unwrap_or_default();
        self.tracked_friends -= before.len();
        // Without memory for new ones only those stay that are known already.
        let fits = self.tracked_friends + friends.len() <= self.limits.all_friends;
        let known = || Friends::new(before.intersection(friends).cloned().collect());
        let friends = &if fits { Arc::clone(friends) } else { known() };
        self.tracked_friends += friends.len();
        user.friends = Some(Arc::clone(friends));
        let address = Arc::clone(&user.address);
        for friend in friends.difference(&before) {
            self.learn(friend, email, true);
            if let Some(theirs) = self.address(friend) {
                self.tell_user(email, &presence(&theirs, true));
                self.tell_user(friend, &presence(&address, true));
            }
        }
        for friend in before.difference(friends) {
            let news = self.learn(friend, email, false);
            self.separate(email, friend);
            if let Some(theirs) = self.address(friend) {
                self.tell_user(email, &presence(&theirs, false));
            }
            if news {
                self.tell_user(friend, &presence(&address, false));
            }
        }
    }

    /// Sets whether two users are friends, and tells each of them if that is news. To somebody who was a friend, the
    /// other one goes offline as always, whatever the reason.
    pub fn set_friendship(&mut self, one: &Arc<str>, other: &Arc<str>, friends: bool) {
        if !friends {
            self.separate(one, other);
        }
        for (user, friend) in [(one, other), (other, one)] {
            if self.learn(user, friend, friends)
                && let Some(address) = self.address(friend)
            {
                self.tell_user(user, &presence(&address, friends));
            }
        }
    }

    /// Adds `friend` to the friends of a user, or removes it. Returns whether that is a change. Friends that were not
    /// looked up yet stay unknown.
    fn learn(&mut self, user: &str, friend: &Arc<str>, friends: bool) -> bool {
        let most = self.limits.friends;
        let Some(known) = self.users.get_mut(user).and_then(|user| user.friends.as_mut()) else { return false };
        if known.contains(friend) == friends || (friends && known.len() >= most) {
            return false;
        }
        if friends && self.tracked_friends >= self.limits.all_friends {
            return false;
        }
        let known = Arc::make_mut(known);
        if friends {
            self.tracked_friends += 1;
            known.insert(Arc::clone(friend))
        } else {
            self.tracked_friends -= 1;
            known.remove(friend)
        }
    }

    /// Returns the addresses of all users who are online.
    pub fn online_users(&self) -> Vec<Arc<str>> {
        self.users.keys().cloned().collect()
    }

    /// Counts a look-up of the user's friends that bypasses the cache.
    ///
    /// # Errors
    /// The user had too many.
    pub fn may_look_up(&mut self, email: &Arc<str>, now: Duration) -> Done {
        self.pacing.look_up(email, &self.limits, now)
    }

    /// Returns whether the user is online and the friends are known.
    pub fn has_friends(&self, email: &str) -> bool {
        self.users.get(email).is_some_and(|user| user.friends.is_some())
    }

    /// Returns whether `viewer` may see the address of `other`.
    pub(crate) fn knows(&self, viewer: &Session, other: &Session) -> bool {
        let (Some(viewer), Some(other)) = (&viewer.who.email, &other.who.email) else { return false };
        viewer == other
            || self
                .users
                .get(viewer)
                .and_then(|user| user.friends.as_ref())
                .is_some_and(|friends| friends.contains(other))
    }

    /// Returns the address, as people are shown it, of a user who is online and whose friends are known. Nobody is told of a
    /// user before that, so that both sides are told once.
    fn address(&self, email: &str) -> Option<Arc<str>> {
        self.users.get(email).filter(|user| user.friends.is_some()).map(|user| Arc::clone(&user.address))
    }

    /// Returns whether the user has a session.
    pub fn is_online(&self, email: &str) -> bool {
        self.users.contains_key(email)
    }
}

fn presence(address: &str, online: bool) -> ServerMessage {
    ServerMessage::Presence { email: address.to_owned(), online }
}
