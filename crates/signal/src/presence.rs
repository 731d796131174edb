//! Presence: which friends of a user are online. Only friends are told.

use std::sync::Arc;

use crate::directory::Friends;
use crate::hub::HubState;
use crate::ids::PeerId;
use crate::protocol::ServerMessage;
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
        for friend in friends.iter().flat_map(|friends| friends.iter()).filter_map(|friend| self.users.get(friend)) {
            session.send(&presence(&friend.address, true));
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
        for friend in user.friends.iter().flat_map(|friends| friends.iter()) {
            self.tell_user(friend, &presence(&user.address, false));
        }
    }

    /// Sets the user's friends, and tells both sides about changes.
    pub fn befriend(&mut self, email: &Arc<str>, friends: &Friends) {
        let Some(user) = self.users.get_mut(email) else { return };
        let before = user.friends.replace(Arc::clone(friends)).unwrap_or_default();
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
        let known = Arc::make_mut(known);
        if friends { known.insert(Arc::clone(friend)) } else { known.remove(friend) }
    }

    /// Returns the addresses of all users who are online.
    pub fn online_users(&self) -> Vec<Arc<str>> {
        self.users.keys().cloned().collect()
    }

    /// Returns whether the friends of this user are known.
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

    /// Returns the address of a user who is online, as people are shown it.
    fn address(&self, email: &str) -> Option<Arc<str>> {
        self.users.get(email).map(|user| Arc::clone(&user.address))
    }

    /// Returns whether the user has a session.
    pub fn is_online(&self, email: &str) -> bool {
        self.users.contains_key(email)
    }
}

fn presence(address: &str, online: bool) -> ServerMessage {
    ServerMessage::Presence { email: address.to_owned(), online }
}
