//! Friends and rooms in DynamoDB, behind a cache of a few seconds. After a failure look-ups fail at once for a few
//! seconds, so that nobody waits for the database twice.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::warn;

use crate::limits::Limits;
use crate::metrics::Metrics;
use peersync_server::clock::Clock;
use peersync_server::store::{Status, Store, StoreError};

/// The maximum number of cached results of each kind.
const CACHED: usize = 10_000;

/// The addresses of a user's accepted friends.
pub type Friends = Arc<HashSet<Arc<str>>>;

/// DynamoDB is unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Away;

/// What the signaling server needs to know about a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRecord {
    /// The address of its creator.
    pub owner: Arc<str>,
    /// Whether it was created locked.
    pub locked: bool,
}

/// The database behind a cache.
#[derive(Debug)]
pub struct Directory {
    store: Arc<Store>,
    clock: Clock,
    limits: Arc<Limits>,
    metrics: Arc<Metrics>,
    friends: Cache<Arc<str>, Friends>,
    pairs: Cache<(Arc<str>, Arc<str>), bool>,
    rooms: Cache<Arc<str>, Option<RoomRecord>>,
    /// Until when look-ups fail without a call.
    retry_at: Mutex<Option<Instant>>,
}

impl Directory {
    /// Returns a directory with an empty cache.
    pub fn new(store: Arc<Store>, limits: Arc<Limits>, metrics: Arc<Metrics>) -> Self {
        Self {
            store,
            clock: Clock::default(),
            limits,
            metrics,
            friends: Cache::default(),
            pairs: Cache::default(),
            rooms: Cache::default(),
            retry_at: Mutex::new(None),
        }
    }

    /// Returns the accepted friends of a user.
    ///
    /// # Errors
    /// DynamoDB is unavailable.
    pub async fn friends(&self, user: Arc<str>) -> Result<Friends, Away> {
        if let Some(known) = self.friends.get(&user, self.limits.directory_cache) {
            return Ok(known);
        }
        let rows = self.query(self.store.connections(&user)).await?;
        let accepted = rows.into_iter().filter(|row| row.status == Status::Accepted);
        let friends = Friends::new(accepted.take(self.limits.friends).map(|row| row.target.into()).collect());
        self.friends.put(user, Arc::clone(&friends), self.limits.directory_cache);
        Ok(friends)
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
        let row = self.query(self.store.connection(&pair.0, &pair.1)).await?;
        let friends = row.is_some_and(|row| row.status == Status::Accepted);
        self.pairs.put(pair, friends, self.limits.directory_cache);
        Ok(friends)
    }

    /// Returns the room, if it exists.
    ///
    /// # Errors
    /// DynamoDB is unavailable.
    pub async fn room(&self, id: Arc<str>) -> Result<Option<RoomRecord>, Away> {
        if let Some(known) = self.rooms.get(&id, self.limits.directory_cache) {
            return Ok(known);
        }
        let room = self.query(self.store.room(&id, self.clock.now())).await?;
        let record = room.map(|room| RoomRecord { owner: room.owner.into(), locked: room.locked });
        self.rooms.put(id, record.clone(), self.limits.directory_cache);
        Ok(record)
    }

    /// Removes a user's friends from the cache.
    pub fn forget_friends(&self, user: &Arc<str>) {
        self.friends.forget(user);
    }

    async fn query<T>(&self, query: impl Future<Output = Result<T, StoreError>>) -> Result<T, Away> {
        if self.retry_at.lock().is_some_and(|until| Instant::now() < until) {
            return Err(Away);
        }
        let error = match tokio::time::timeout(self.limits.directory, query).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "timed out".to_owned(),
        };
        self.metrics.directory_errors.inc();
        warn!(target: "signal", error, "friends and rooms cannot be looked up in DynamoDB; current calls and rooms continue");
        *self.retry_at.lock() = Some(Instant::now() + self.limits.directory_retry);
        Err(Away)
    }
}

#[derive(Debug)]
struct Cache<K, V> {
    entries: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self { entries: Mutex::default() }
    }
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    fn get(&self, key: &K, age: Duration) -> Option<V> {
        self.entries.lock().get(key).filter(|(since, _)| since.elapsed() < age).map(|(_, value)| value.clone())
    }

    fn put(&self, key: K, value: V, age: Duration) {
        let mut entries = self.entries.lock();
        if entries.len() >= CACHED {
            entries.retain(|_, (since, _)| since.elapsed() < age);
        }
        if entries.len() < CACHED {
            entries.insert(key, (Instant::now(), value));
        }
    }

    fn forget(&self, key: &K) {
        self.entries.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_expires_and_is_bounded() {
        let cache = Cache::default();
        cache.put(1, "a", Duration::from_secs(60));
        assert_eq!(cache.get(&1, Duration::from_secs(60)), Some("a"));
        assert_eq!(cache.get(&1, Duration::ZERO), None);
        cache.forget(&1);
        assert_eq!(cache.get(&1, Duration::from_secs(60)), None);
        (0..2 * CACHED).for_each(|key| cache.put(key, "b", Duration::from_secs(60)));
        assert_eq!(cache.entries.lock().len(), CACHED);
    }
}
