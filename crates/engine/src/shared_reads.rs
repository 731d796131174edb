//! Reads that several resources share during one observation.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::ResourceError;

/// The reads that the resources of one observation share: one call tells what several of them need to know.
///
/// Only [`Resource::observe`](crate::Resource::observe) is given it, because what it returns is how the provider was when
/// the observation began. Nothing that changes a resource may rely on that.
#[derive(Default)]
pub struct SharedReads(Mutex<HashMap<Key, Arc<dyn Any + Send + Sync>>>);

/// What was read under a name; different types under one name do not meet.
type Key = (String, TypeId);

/// One read: the first that asks performs it, the others wait for its result.
type Cell<T> = OnceCell<Result<T, ResourceError>>;

impl SharedReads {
    /// Returns what was read under this name, or performs the read.
    ///
    /// # Errors
    /// The error of the one read, for everybody who asks for it.
    pub async fn get<T>(
        &self,
        name: &str,
        read: impl Future<Output = Result<T, ResourceError>>,
    ) -> Result<T, ResourceError>
    where
        T: Clone + Send + Sync + 'static,
    {
        self.cell::<T>(name).get_or_init(|| read).await.clone()
    }

    fn cell<T: Send + Sync + 'static>(&self, name: &str) -> Arc<Cell<T>> {
        let key = (name.to_owned(), TypeId::of::<T>());
        let new = || Arc::new(Cell::<T>::new()) as Arc<dyn Any + Send + Sync>;
        let cell = Arc::clone(self.0.lock().entry(key).or_insert_with(new));
        // The type is part of the key, so the cell always has it.
        cell.downcast().unwrap_or_default()
    }
}

/// Without what was read: it may contain a secret.
impl fmt::Debug for SharedReads {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SharedReads").field("reads", &self.0.lock().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn concurrent_readers_share_one_read() {
        let (shared, reads) = (SharedReads::default(), AtomicU32::new(0));
        let read = || async {
            tokio::task::yield_now().await;
            Ok(reads.fetch_add(1, Ordering::Relaxed))
        };
        let (first, second) = futures::join!(shared.get("groups", read()), shared.get("groups", read()));
        let third = shared.get("groups", read()).await;
        assert!([first, second, third].into_iter().all(|read| read.is_ok_and(|number| number == 0)));
        assert_eq!(reads.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_failed_read_fails_for_all_and_is_not_repeated() {
        let (shared, reads) = (SharedReads::default(), AtomicU32::new(0));
        let read = || async {
            reads.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(ResourceError::new("failed to list").caused_by("denied"))
        };
        let (first, second) = futures::join!(shared.get("groups", read()), shared.get("groups", read()));
        for error in [first, second] {
            assert!(error.is_err_and(|error| error.causes() == ["denied"]));
        }
        assert_eq!(reads.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn names_and_types_are_kept_apart() {
        let shared = SharedReads::default();
        let values = (
            shared.get("one", async { Ok(1_u8) }).await,
            shared.get("two", async { Ok(2_u8) }).await,
            shared.get("one", async { Ok("text") }).await,
        );
        assert!(matches!(values, (Ok(1), Ok(2), Ok("text"))), "{values:?}");
    }
}
