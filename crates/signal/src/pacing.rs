//! What a client may do to others over time: knocks, rings, and look-ups of friends.
//!
//! All of it is kept by who does it to whom, so that nobody can use up what somebody else needs, and outlives sessions, so
//! that coming again with a new one gains nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use peersync_server::client_address::Network;

use crate::addresses::Account;
use crate::ids::PeerId;
use crate::limits::{Limits, Pace};
use crate::protocol::{Done, ErrorCode, Refused};
use crate::session::Identity;

/// The maximum number of keys of one kind, some 100 bytes each. Attackers need as many tickets within minutes to fill it;
/// then further keys are not limited.
pub const MAX_KEYS: usize = 10_000;
/// The number of kinds of keys.
pub const KINDS: usize = 7;
/// The number of keys at which those that limit nothing any more are removed for the first time.
const FIRST_SWEEP: usize = 256;

const TURNED_AWAY: Refused =
    Refused(ErrorCode::NotAdmitted, "you were not let in; wait half a minute before you knock again");
const KNOCKED: Refused = Refused(ErrorCode::TooMany, "you have knocked too often; try again in a minute");
const DECLINED: Refused =
    Refused(ErrorCode::TooMany, "your friend has just declined; wait half a minute before you ring again");
const RUNG: Refused = Refused(ErrorCode::TooMany, "you have rung this friend too often; try again in a minute");
const LOOKED_UP: Refused = Refused(ErrorCode::RateLimited, "friends change too often; try again in a few seconds");

/// Who knocks: a user, or whoever comes from this network without an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Visitor {
    /// The email address of a user.
    User(Arc<str>),
    /// The network of a guest: of 64 bits if it is IPv6.
    Guest(Network),
}

impl Visitor {
    /// Returns who a client with this identity and network is at a door.
    pub fn of(who: &Identity, account: &Account) -> Self {
        who.email.as_ref().map_or(Self::Guest(account.network), |email| Self::User(Arc::clone(email)))
    }
}

/// A room and who knocks at it.
type Door = (Arc<str>, Visitor);
/// A caller and a callee.
type Pair = (Arc<str>, Arc<str>);

/// What everybody has done lately.
#[derive(Debug, Default)]
pub struct Pacing {
    knocks: Buckets<Door>,
    knocks_of_sessions: Buckets<PeerId>,
    refusals: Buckets<Door>,
    /// Who was turned away lately. Guests of one network differ by their names, so that others of an office can knock.
    turned_away: Buckets<(Door, Option<String>)>,
    rings: Buckets<Pair>,
    declined: Buckets<Pair>,
    friends: Buckets<Arc<str>>,
}

impl Pacing {
    /// Counts a knock of a session at a room.
    ///
    /// # Errors
    /// The visitor was turned away a short time ago, or knocks too often.
    pub fn knock(&mut self, peer: PeerId, who: &Identity, door: Door, limits: &Limits, now: Duration) -> Done {
        let (network, name) = ((door.clone(), None), (door.clone(), name(who)));
        if self.turned_away.is_empty(&network, now) || self.turned_away.is_empty(&name, now) {
            return Err(TURNED_AWAY);
        }
        let session = self.knocks_of_sessions.take(peer, limits.knocks, now);
        if session && self.knocks.take(door, limits.knocks_of_network, now) { Ok(()) } else { Err(KNOCKED) }
    }

    /// Records that a visitor was turned away.
    pub fn turn_away(&mut self, who: &Identity, door: Door, limits: &Limits, now: Duration) {
        let pause = Pace { burst: 1, every: limits.pause };
        if !self.refusals.take(door.clone(), limits.refusals, now) || who.email.is_some() {
            self.turned_away.take((door.clone(), None), pause, now);
        }
        self.turned_away.take((door, name(who)), pause, now);
    }

    /// Counts a ring.
    ///
    /// # Errors
    /// The callee declined a short time ago, or was rung too often by this caller.
    pub fn ring(&mut self, caller: &Arc<str>, callee: &Arc<str>, limits: &Limits, now: Duration) -> Done {
        let pair = (Arc::clone(caller), Arc::clone(callee));
        if self.declined.is_empty(&pair, now) {
            return Err(DECLINED);
        }
        if self.rings.take(pair, limits.rings, now) { Ok(()) } else { Err(RUNG) }
    }

    /// Records that the callee declined.
    pub fn decline(&mut self, caller: &Arc<str>, callee: &Arc<str>, limits: &Limits, now: Duration) {
        let pause = Pace { burst: 1, every: limits.pause };
        self.declined.take((Arc::clone(caller), Arc::clone(callee)), pause, now);
    }

    /// Counts a look-up of a user's friends that bypasses the cache.
    ///
    /// # Errors
    /// The user had too many.
    pub fn look_up(&mut self, user: &Arc<str>, limits: &Limits, now: Duration) -> Done {
        if self.friends.take(Arc::clone(user), limits.friends_changed, now) { Ok(()) } else { Err(LOOKED_UP) }
    }
}

/// By what guests of one network are told apart.
fn name(who: &Identity) -> Option<String> {
    Some(who.name.trim().to_lowercase())
}

/// Token buckets. Each is one number: the time at which it would be full again (GCRA).
#[derive(Debug)]
struct Buckets<K> {
    full_at: HashMap<K, Duration>,
    /// The number of keys at which full buckets are removed.
    sweep_at: usize,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self { full_at: HashMap::new(), sweep_at: FIRST_SWEEP }
    }
}

impl<K: Eq + Hash> Buckets<K> {
    /// Takes a token, or returns false and takes nothing if the bucket is empty.
    fn take(&mut self, key: K, pace: Pace, now: Duration) -> bool {
        if self.full_at.len() >= self.sweep_at {
            self.full_at.retain(|_, full| *full > now);
            self.sweep_at = (2 * self.full_at.len()).max(FIRST_SWEEP);
        }
        let full = self.full_at.get(&key).copied().unwrap_or_default().max(now) + pace.every;
        let passes = full - now <= pace.every * pace.burst;
        if passes && (self.full_at.len() < MAX_KEYS || self.full_at.contains_key(&key)) {
            self.full_at.insert(key, full);
        }
        passes
    }

    /// Returns whether a bucket of one token is empty.
    fn is_empty(&self, key: &K, now: Duration) -> bool {
        self.full_at.get(key).is_some_and(|full| *full > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn bucket_refills_and_full_ones_are_removed() {
        let (mut buckets, pace) = (Buckets::default(), Pace { burst: 3, every: seconds(10) });
        let mut take = |key: usize, now| buckets.take(key, pace, seconds(now));
        assert_eq!([1, 1, 1, 1].map(|key| take(key, 0)), [true, true, true, false]);
        assert_eq!([take(2, 0), take(1, 9), take(1, 10), take(1, 10), take(1, 60)], [true, false, true, false, true]);
        for key in 0..200_000 {
            take(key, 100);
        }
        assert_eq!(buckets.full_at.len(), MAX_KEYS);
        buckets.take(0, pace, seconds(200));
        buckets.sweep_at = 0;
        buckets.take(0, pace, seconds(300));
        assert_eq!(buckets.full_at.len(), 1);
    }

    #[test]
    fn attacker_at_a_door_pauses_and_the_office_around_it_does_not() {
        let (mut pacing, limits) = (Pacing::default(), Limits::default());
        let guest = Identity::guest;
        let door = || ("r".into(), Visitor::Guest(Network::of([192, 0, 2, 1].into())));
        let knock = |pacing: &mut Pacing, name: &str, now| {
            pacing.knock(PeerId::random(), &guest(name), door(), &limits, seconds(now)).is_ok()
        };
        assert!(knock(&mut pacing, "Eve", 0));
        pacing.turn_away(&guest("Eve"), door(), &limits, seconds(0));
        assert!(!knock(&mut pacing, "Eve", 1) && !knock(&mut pacing, " EVE ", 29), "also with a new ticket");
        assert!(knock(&mut pacing, "Gus", 1), "an innocent colleague knocks");
        assert!(knock(&mut pacing, "Eve", 30));
        // Under other names: three are turned away, then the network pauses.
        let mut shown = 0;
        for now in 100..400 {
            let name = format!("Eve {now}");
            if knock(&mut pacing, &name, now) {
                shown += 1;
                pacing.turn_away(&guest(&name), door(), &limits, seconds(now));
            }
        }
        assert!((8..=20).contains(&shown), "{shown} cards in five minutes, each refused at once");
        let elsewhere = ("r".into(), Visitor::Guest(Network::of([192, 0, 2, 2].into())));
        assert!(pacing.knock(PeerId::random(), &guest("Eve"), elsewhere, &limits, seconds(399)).is_ok());
    }

    #[test]
    fn ten_guests_of_an_office_knock_within_a_minute() {
        let (mut pacing, limits) = (Pacing::default(), Limits::default());
        let door = || ("r".into(), Visitor::Guest(Network::of([192, 0, 2, 1].into())));
        for (number, now) in [0, 1, 1, 2, 2, 3, 3, 4, 30, 45].into_iter().enumerate() {
            let who = Identity::guest(&number.to_string());
            assert_eq!(pacing.knock(PeerId::random(), &who, door(), &limits, seconds(now)), Ok(()), "{number}");
        }
    }
}
