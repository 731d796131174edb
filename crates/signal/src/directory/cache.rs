//! A bounded cache whose entries are valid for a while.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The maximum number of cached results of each kind.
const CACHED: usize = 10_000;

/// The results of look-ups, with the time of each.
#[derive(Debug)]
pub struct Cache<K, V> {
    entries: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self { entries: Mutex::default() }
    }
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// Returns the value if it is younger than `age`.
    pub fn get(&self, key: &K, age: Duration) -> Option<V> {
        self.entries.lock().get(key).filter(|(since, _)| since.elapsed() < age).map(|(_, value)| value.clone())
    }

    /// Keeps a value. If the cache is full, those older than `age` give way; without any, nothing is kept.
    pub fn put(&self, key: K, value: V, age: Duration) {
        let mut entries = self.entries.lock();
        if entries.len() >= CACHED {
            entries.retain(|_, (since, _)| since.elapsed() < age);
        }
        if entries.len() < CACHED {
            entries.insert(key, (Instant::now(), value));
        }
    }

    /// Removes a value.
    pub fn forget(&self, key: &K) {
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
