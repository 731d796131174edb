//! Reads that several resources share during one observation, and tags that the next observation of the run need not read
//! again.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::{ResourceError, Tags};

/// The reads that the resources of one observation share: one call tells what several of them need to know.
///
/// Only [`Resource::observe`](crate::Resource::observe) is given it, because what it returns is how the provider was when
/// the observation began. Nothing that changes a resource may rely on that.
#[derive(Default)]
pub struct SharedReads {
    reads: Mutex<HashMap<Key, Arc<dyn Any + Send + Sync>>>,
    /// What an observation before this one has read.
    before: KnownTags,
    tags: Mutex<KnownTags>,
}

/// The tags that an observation has read with calls of their own, which are slow: by the name of the resource, with what
/// tells whether it is still the same one.
#[derive(Clone, Debug, Default)]
pub struct KnownTags(HashMap<String, (String, Tags)>);

/// What was read under a name; different types under one name do not meet.
type Key = (String, TypeId);

/// One read: the first that asks performs it, the others wait for its result.
type Cell<T> = OnceCell<Result<T, ResourceError>>;

impl SharedReads {
    /// Returns reads that know the tags which an observation before has read.
    pub fn after(before: KnownTags) -> Self {
        Self { before, ..Self::default() }
    }

    /// Returns the tags of a resource that was found: those from before if it still is what it was by `version`, otherwise
    /// what `read` returns. Without a version they are read.
    ///
    /// Tags can change without the version. An observation with tags from before is therefore only one that confirms the
    /// observation before: if anything else differs from that, everything has to be read again.
    ///
    /// # Errors
    /// The error of the read.
    pub async fn tags(
        &self,
        name: &str,
        version: Option<String>,
        read: impl Future<Output = Result<Option<Tags>, ResourceError>>,
    ) -> Result<Option<Tags>, ResourceError> {
        let known = self.before.0.get(name).filter(|(of, _)| version.as_ref() == Some(of));
        let tags = match known {
            Some((_, tags)) => Some(tags.clone()),
            None => read.await?,
        };
        if let (Some(version), Some(tags)) = (version, &tags) {
            self.tags.lock().0.insert(name.to_owned(), (version, tags.clone()));
        }
        Ok(tags)
    }

    /// Returns the tags that it has read, for the next observation.
    pub(crate) fn into_known_tags(self) -> KnownTags {
        self.tags.into_inner()
    }

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
        let cell = Arc::clone(self.reads.lock().entry(key).or_insert_with(new));
        // The type is part of the key, so the cell always has it.
        cell.downcast().unwrap_or_default()
    }
}

/// Without what was read: it may contain a secret.
impl fmt::Debug for SharedReads {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SharedReads").field("reads", &self.reads.lock().len()).finish_non_exhaustive()
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
    async fn tags_are_read_again_only_if_the_resource_is_another_one() {
        let reads = AtomicU32::new(0);
        let read = || async {
            let number = reads.fetch_add(1, Ordering::Relaxed);
            Ok(Some(Tags::from([("number".to_owned(), number.to_string())])))
        };
        let number = |tags: Result<Option<Tags>, _>| tags.ok().flatten().and_then(|tags| tags.get("number").cloned());
        let version = |text: &str| Some(text.to_owned());
        let first = SharedReads::default();
        assert_eq!(number(first.tags("alarm", version("1"), read()).await).as_deref(), Some("0"));
        assert_eq!(number(first.tags("group", None, read()).await).as_deref(), Some("1"));
        let second = SharedReads::after(first.into_known_tags());
        assert_eq!(number(second.tags("alarm", version("1"), read()).await).as_deref(), Some("0"));
        assert_eq!(number(second.tags("group", None, read()).await).as_deref(), Some("2"), "without a version");
        let third = SharedReads::after(second.into_known_tags());
        assert_eq!(number(third.tags("alarm", version("2"), read()).await).as_deref(), Some("3"), "another version");
        let fourth = SharedReads::after(third.into_known_tags());
        assert_eq!(number(fourth.tags("alarm", version("2"), read()).await).as_deref(), Some("3"));
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
