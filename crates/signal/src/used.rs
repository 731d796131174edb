//! The ids of what may be used once, kept for as long as it could be used.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// The ids that were used. They are kept by the time that passes, since the clock may be set.
#[derive(Debug, Default)]
pub(crate) struct Used {
    ids: HashSet<Arc<str>>,
    /// In the order in which they are forgotten.
    by_end: VecDeque<(Duration, Arc<str>)>,
}

impl Used {
    /// Forgets those whose time is over at `now`, since the server's start. Returns whether there are `most` others.
    pub(crate) fn is_full(&mut self, most: usize, now: Duration) -> bool {
        while self.by_end.front().is_some_and(|(end, _)| *end <= now) {
            if let Some((_, old)) = self.by_end.pop_front() {
                self.ids.remove(&old);
            }
        }
        self.ids.len() >= most
    }

    /// Keeps an id until `end`, which must not be before that of earlier ones. Returns whether it is new.
    pub(crate) fn take(&mut self, id: &str, end: Duration) -> bool {
        let id: Arc<str> = id.into();
        let new = self.ids.insert(Arc::clone(&id));
        if new {
            self.by_end.push_back((end, id));
        }
        new
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }
}
