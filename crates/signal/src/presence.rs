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
    /// `None` until DynamoDB has returned them.
    pub(crate) friends: Option<Friends>,
}

impl HubState {
    /// Adds a new session, and tells it which friends are online, if they are known already.
    pub(crate) fn came_online(&mut self, session: &Session) {
        let Some(email) = &session.who.email else { return };
        let user = self.users.entry(Arc::clone(email)).or_default();
        user.sessions.push(session.peer);
        let friends = user.friends.clone();
        for friend in friends.iter().flat_map(|friends| friends.iter()).filter(|friend| self.has_friends(friend)) {
            session.send(&presence(friend, true));
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
        let friends = self.users.remove(email).and_then(|user| user.friends);
        self.tracked_friends -= friends.as_ref().map_or(0, |friends| friends.len());
        for friend in friends.iter().flat_map(|friends| friends.iter()) {
            self.tell_user(friend, &presence(email, false));
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
        for friend in friends.difference(&before) {
            self.learn(friend, email, true);
            if self.has_friends(friend) {
                self.tell_user(email, &presence(friend, true));
                self.tell_user(friend, &presence(email, true));
            }
        }
        for friend in before.difference(friends) {
            let news = self.learn(friend, email, false);
            self.separate(email, friend);
            if self.has_friends(friend) {
                self.tell_user(email, &presence(friend, false));
            }
            if news {
                self.tell_user(friend, &presence(email, false));
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
            if self.learn(user, friend, friends) && self.has_friends(friend) {
                self.tell_user(user, &presence(friend, friends));
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

    /// Returns whether the user is online and the friends are known. Nobody is told of a user before that, so that both
    /// sides are told once.
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

    /// Returns whether the user has a session.
    pub fn is_online(&self, email: &str) -> bool {
        self.users.contains_key(email)
    }
}

fn presence(email: &str, online: bool) -> ServerMessage {
    ServerMessage::Presence { email: email.to_owned(), online }
}
