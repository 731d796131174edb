//! Reads that several resources share during one observation, and tags that the next observation of the run need not read
//! again.

use std::any::{Any, TypeId};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::{Address, ResourceError, Tags};

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

/// What an observation knows of tags that take a call for each resource, and hands to the next one.
#[derive(Clone, Debug, Default)]
pub struct KnownTags {
    /// Those that were read, each with what tells whether the resource is still the same one.
    read: HashMap<Address, (String, Tags)>,
    /// The resources whose tags are those of the provider's index, which may be late.
    indexed: BTreeSet<Address>,
    /// Whether the index is not asked.
    is_exact: bool,
}

impl KnownTags {
    /// Returns the knowledge of an observation that knows nothing yet, and asks each resource itself.
    pub fn exact() -> Self {
        Self { is_exact: true, ..Self::default() }
    }

    /// Returns whether the tags of any resource come from the provider's index, which may be late.
    pub fn are_indexed(&self) -> bool {
        !self.indexed.is_empty()
    }
}

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
    /// those that the provider's index of tags has of it, otherwise what `read` returns. Without a version they are not
    /// kept.
    ///
    /// Tags can change without the version. An observation with tags from before is therefore only one that confirms the
    /// observation before: if anything else differs from that, everything has to be read again. And an index may be late:
    /// before anything follows from what it says, the resources are asked ([`KnownTags::exact`]).
    ///
    /// # Errors
    /// The error of the read.
    pub async fn tags(
        &self,
        address: &Address,
        version: Option<String>,
        indexed: impl Future<Output = Option<Tags>>,
        read: impl Future<Output = Result<Option<Tags>, ResourceError>>,
    ) -> Result<Option<Tags>, ResourceError> {
        let known = self.before.read.get(address).filter(|(of, _)| version.as_ref() == Some(of));
        let (tags, is_indexed) = match known {
            Some((_, tags)) => (Some(tags.clone()), self.before.indexed.contains(address)),
            None => match if self.before.is_exact { None } else { indexed.await } {
                Some(tags) => (Some(tags), true),
                None => (read.await?, false),
            },
        };
        let mut known = self.tags.lock();
        if is_indexed {
            known.indexed.insert(address.clone());
        }
        if let (Some(version), Some(tags)) = (version, &tags) {
            known.read.insert(address.clone(), (version, tags.clone()));
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

    fn tags(number: u32) -> Tags {
        Tags::from([("number".to_owned(), number.to_string())])
    }

    #[tokio::test]
    async fn tags_are_read_again_only_if_the_resource_is_another_one() {
        let reads = AtomicU32::new(0);
        let read = || async { Ok(Some(tags(reads.fetch_add(1, Ordering::Relaxed)))) };
        let of = async |shared: &SharedReads, part: &str, version: Option<&str>| {
            let no_index = std::future::ready(None);
            shared.tags(&Address::new("kind", part), version.map(str::to_owned), no_index, read()).await.ok().flatten()
        };
        let first = SharedReads::default();
        assert_eq!(of(&first, "alarm", Some("1")).await, Some(tags(0)));
        assert_eq!(of(&first, "group", None).await, Some(tags(1)));
        let second = SharedReads::after(first.into_known_tags());
        assert_eq!(of(&second, "alarm", Some("1")).await, Some(tags(0)));
        assert_eq!(of(&second, "group", None).await, Some(tags(2)), "without a version");
        let third = SharedReads::after(second.into_known_tags());
        assert_eq!(of(&third, "alarm", Some("2")).await, Some(tags(3)), "another version");
        let fourth = SharedReads::after(third.into_known_tags());
        assert_eq!(of(&fourth, "alarm", Some("2")).await, Some(tags(3)));
    }

    #[tokio::test]
    async fn index_of_tags_saves_reads_unless_it_lacks_a_resource_or_must_not_be_believed() {
        let of = async |shared: &SharedReads, part: &str, indexed: Option<Tags>| {
            let (address, version) = (Address::new("kind", part), Some("1".to_owned()));
            let indexed = std::future::ready(indexed);
            shared.tags(&address, version, indexed, async { Ok(Some(tags(2))) }).await.ok().flatten()
        };
        let first = SharedReads::default();
        assert_eq!(of(&first, "known", Some(tags(1))).await, Some(tags(1)));
        assert_eq!(of(&first, "unknown", None).await, Some(tags(2)));
        let known = first.into_known_tags();
        let is_indexed = |known: &KnownTags, part: &str| known.indexed.contains(&Address::new("kind", part));
        assert!(is_indexed(&known, "known") && !is_indexed(&known, "unknown") && known.are_indexed());
        let again = SharedReads::after(known);
        assert_eq!(
            of(&again, "known", None).await,
            Some(tags(1)),
            "what confirms an observation reads no more than it"
        );
        assert!(is_indexed(&again.into_known_tags(), "known"));
        let exact = SharedReads::after(KnownTags::exact());
        assert_eq!(of(&exact, "known", Some(tags(1))).await, Some(tags(2)));
        assert!(!is_indexed(&exact.into_known_tags(), "known"));
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
