//! Accounts, friends and rooms in DynamoDB, behind a cache of a few seconds.

mod cache;
mod calls;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use self::cache::Cache;
use self::calls::Calls;
use crate::limits::Limits;
use crate::metrics::Metrics;
use peersync_server::clock::Clock;
use peersync_server::store::{Notice, Status, Store, User};

/// How often a look-up is repeated if what it found may have changed meanwhile.
const TRIES: usize = 5;

/// The addresses of a user's accepted friends.
pub type Friends = Arc<HashSet<Arc<str>>>;

/// The generation of an account, `None` if it does not exist or is being deleted.
pub type Generation = Option<Arc<str>>;

/// DynamoDB is unavailable, or did not answer this user's look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Away;

/// What the signaling server needs to know about a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRecord {
    /// The address of its creator.
    pub owner: Arc<str>,
    /// Whether it was created locked.
    pub locked: bool,
    /// When it ends, in seconds since 1970.
    pub expires_at: i64,
}

/// The database behind a cache.
#[derive(Debug)]
pub struct Directory {
    store: Arc<Store>,
    clock: Clock,
    limits: Arc<Limits>,
    calls: Calls,
    accounts: Cache<Arc<str>, Generation>,
    friends: Cache<Arc<str>, Friends>,
    pairs: Cache<(Arc<str>, Arc<str>), bool>,
    rooms: Cache<Arc<str>, Option<RoomRecord>>,
    /// Counts the changes that were noticed. What was looked up before the latest one may be outdated.
    changes: AtomicU64,
}

impl Directory {
    /// Returns a directory with an empty cache.
    pub fn new(store: Arc<Store>, clock: Clock, limits: Arc<Limits>, metrics: Arc<Metrics>) -> Self {
        Self {
            store,
            clock,
            calls: Calls::new(Arc::clone(&limits), metrics),
            accounts: Cache::new(limits.cached.0),
            friends: Cache::new(limits.cached.1),
            pairs: Cache::new(limits.cached.0),
            rooms: Cache::new(limits.cached.0),
            limits,
            changes: AtomicU64::new(0),
        }
    }

    /// Returns the generation of an account.
    ///
    /// # Errors
    /// DynamoDB is unavailable.
    pub async fn generation(&self, user: &Arc<str>) -> Result<Generation, Away> {
        if let Some(known) = self.accounts.get(user, self.limits.account_cache) {
            return Ok(known);
        }
        let changes = self.changes();
        let generation = self.calls.call(user, self.store.user(user)).await?.and_then(generation);
        if changes == self.changes() {
            self.accounts.put(Arc::clone(user), generation.clone(), 1, self.limits.account_cache);
        }
        Ok(generation)
    }

    /// Returns the accepted friends of a user, and the number of [`Self::changes`] at that time.
    ///
    /// # Errors
    /// DynamoDB is unavailable.
    pub async fn friends(&self, user: Arc<str>) -> Result<(Friends, u64), Away> {
        for _ in 0..TRIES {
            let changes = self.changes();
            if let Some(known) = self.friends.get(&user, self.limits.directory_cache) {
                return Ok((known, changes));
            }
            let friends = self.calls.call(&user, self.store.friends(&user, self.limits.friends)).await?;
            let friends = Friends::new(friends.into_iter().map(Into::into).collect());
            if changes == self.changes() {
                self.friends.put(user, Arc::clone(&friends), friends.len() + 1, self.limits.directory_cache);
                return Ok((friends, changes));
            }
        }
        Err(Away)
    }

    /// Returns whether `callee` has accepted `caller` as a friend, by the callee's row.
    ///
    /// # Errors
    /// DynamoDB is unavailable.
    pub async fn may_ring(&self, caller: Arc<str>, callee: Arc<str>) -> Result<bool, Away> {
        let pair = (callee, caller);
        if let Some(known) = self.pairs.get(&pair, self.limits.directory_cache) {
            return Ok(known);
        }
        let changes = self.changes();
        let row = self.calls.call(&pair.1, self.store.connection(&pair.0, &pair.1)).await?;
        let friends = row.is_some_and(|row| row.status == Status::Accepted);
        if changes == self.changes() {
            self.pairs.put(pair, friends, 1, self.limits.directory_cache);
        }
        Ok(friends)
    }

    /// Returns the room, unless it does not exist or has ended. `who` asks.
    ///
    /// # Errors
    /// DynamoDB is unavailable.
    pub async fn room(&self, who: &Arc<str>, id: Arc<str>) -> Result<Option<RoomRecord>, Away> {
        let now = self.clock.now();
        if let Some(known) = self.rooms.get(&id, self.limits.directory_cache) {
            return Ok(known.filter(|record| record.expires_at > now));
        }
        let room = self.calls.call(who, self.store.room(&id, now)).await?;
        let record =
            room.map(|room| RoomRecord { owner: room.owner.into(), locked: room.locked, expires_at: room.expires_at });
        self.rooms.put(id, record.clone(), 1, self.limits.directory_cache);
        Ok(record)
    }

    /// Returns what has changed since `since`, in seconds since 1970. It also shows whether DynamoDB is available.
    ///
    /// # Errors
    /// DynamoDB is unavailable.
    pub async fn notices(&self, since: i64) -> Result<Vec<Notice>, Away> {
        self.calls.probe(self.store.notices(since, self.clock.now())).await
    }

    /// Returns the generations of accounts, as they are now. Accounts that do not exist are left out.
    ///
    /// # Errors
    /// Some of them cannot be read.
    pub async fn generations(&self, users: &[String]) -> Result<HashMap<String, Arc<str>>, Away> {
        let users = self.calls.together(self.store.users(users)).await?;
        Ok(users.into_iter().filter_map(|(email, user)| Some((email, generation(user)?))).collect())
    }

    /// Returns which of these pairs are friends now.
    ///
    /// # Errors
    /// Some of them cannot be read.
    pub async fn friendships(&self, pairs: &[(String, String)]) -> Result<HashSet<(String, String)>, Away> {
        self.calls.together(self.store.friendships(pairs)).await
    }

    /// Returns the number of changes that were noticed so far.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Removes what these notices concern from the cache.
    pub fn forget(&self, notices: &[Notice]) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        for notice in notices {
            match notice {
                Notice::Session(..) => {}
                Notice::Account(email) => self.accounts.forget(&email.as_str().into()),
                Notice::Friendship(one, other) => {
                    let (one, other): (Arc<str>, Arc<str>) = (one.as_str().into(), other.as_str().into());
                    self.friends.forget(&one);
                    self.friends.forget(&other);
                    self.pairs.forget(&(Arc::clone(&one), Arc::clone(&other)));
                    self.pairs.forget(&(other, one));
                }
            }
        }
    }

    /// Removes a user's friends from the cache.
    pub fn forget_friends(&self, user: &Arc<str>) {
        self.friends.forget(user);
    }
}

fn generation(user: User) -> Generation {
    (!user.deleting).then(|| user.generation.into())
}
