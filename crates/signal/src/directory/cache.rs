//! A bounded cache whose entries are valid for a while.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The results of look-ups, with the time and the size of each.
#[derive(Debug)]
pub struct Cache<K, V> {
    /// The maximum size of all together.
    most: usize,
    entries: Mutex<Entries<K, V>>,
}

#[derive(Debug)]
struct Entries<K, V> {
    by_key: HashMap<K, (Instant, usize, V)>,
    size: usize,
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// Returns an empty cache for results with this size in all.
    pub fn new(most: usize) -> Self {
        Self { most, entries: Mutex::new(Entries { by_key: HashMap::new(), size: 0 }) }
    }

    /// Returns the value if it is younger than `age`.
    pub fn get(&self, key: &K, age: Duration) -> Option<V> {
        let entries = self.entries.lock();
        entries.by_key.get(key).filter(|(since, ..)| since.elapsed() < age).map(|(.., value)| value.clone())
    }

    /// Keeps a value of this size. If the cache is full, those older than `age` give way; without any, it is not kept.
    pub fn put(&self, key: K, value: V, size: usize, age: Duration) {
        let mut entries = self.entries.lock();
        entries.remove(&key);
        if entries.size + size > self.most {
            entries.by_key.retain(|_, (since, ..)| since.elapsed() < age);
            entries.size = entries.by_key.values().map(|(_, size, _)| size).sum();
        }
        if entries.size + size <= self.most {
            entries.size += size;
            entries.by_key.insert(key, (Instant::now(), size, value));
        }
    }

    /// Removes a value.
    pub fn forget(&self, key: &K) {
        self.entries.lock().remove(key);
    }
}

impl<K: Eq + Hash, V> Entries<K, V> {
    fn remove(&mut self, key: &K) {
        if let Some((_, size, _)) = self.by_key.remove(key) {
            self.size -= size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn cache_expires_and_is_bounded() {
        let cache = Cache::new(100);
        cache.put(1, "a", 1, MINUTE);
        assert_eq!(cache.get(&1, MINUTE), Some("a"));
        assert_eq!(cache.get(&1, Duration::ZERO), None);
        cache.forget(&1);
        assert_eq!(cache.get(&1, MINUTE), None);
        (0..200).for_each(|key| cache.put(key, "b", 1, MINUTE));
        assert_eq!(cache.entries.lock().by_key.len(), 100);
    }

    #[test]
    fn large_results_take_the_place_of_many() {
        let cache = Cache::new(100);
        cache.put(1, "friends", 60, MINUTE);
        cache.put(2, "too many", 60, MINUTE);
        assert_eq!((cache.get(&1, MINUTE), cache.get(&2, MINUTE)), (Some("friends"), None));
        // Those that are no longer valid give way, and a result replaces the one before.
        cache.put(2, "friends", 90, Duration::ZERO);
        cache.put(2, "fewer friends", 40, MINUTE);
        cache.put(3, "others", 60, MINUTE);
        assert_eq!(cache.entries.lock().size, 100);
        assert_eq!((cache.get(&1, MINUTE), cache.get(&2, MINUTE)), (None, Some("fewer friends")));
    }
}
