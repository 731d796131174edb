//! One read that several resources share.

use std::fmt;

use tokio::sync::OnceCell;

use super::ResourceError;

/// A value that several resources need and one call returns. The first that asks for it reads it, the others wait.
///
/// It is never read again, so it is only for reading a graph, not for changing one.
pub struct SharedRead<T>(OnceCell<Result<T, ResourceError>>);

impl<T: Clone> SharedRead<T> {
    /// Returns what was read, or reads it now with `read`.
    ///
    /// # Errors
    /// Returns the error of the one read to everybody who asks.
    pub async fn get(&self, read: impl Future<Output = Result<T, ResourceError>>) -> Result<T, ResourceError> {
        self.0.get_or_init(|| read).await.clone()
    }
}

impl<T> Default for SharedRead<T> {
    fn default() -> Self {
        Self(OnceCell::new())
    }
}

/// Shows whether the value was read, but not the value, which may be a secret.
impl<T> fmt::Debug for SharedRead<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SharedRead").field("read", &self.0.initialized()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn shared_value_is_read_once() {
        let (shared, reads) = (SharedRead::default(), AtomicU32::new(0));
        let read = || async {
            tokio::task::yield_now().await;
            Ok(reads.fetch_add(1, Ordering::Relaxed))
        };
        let (first, second) = futures::join!(shared.get(read()), shared.get(read()));
        let third = shared.get(read()).await;
        assert!([first, second, third].into_iter().all(|read| read.is_ok_and(|number| number == 0)));
        assert_eq!(reads.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn failure_is_returned_to_everybody_without_retrying() {
        let (shared, reads) = (SharedRead::<()>::default(), AtomicU32::new(0));
        let read = || async {
            reads.fetch_add(1, Ordering::Relaxed);
            Err(ResourceError::new("failed to list").caused_by("denied"))
        };
        let (first, second) = futures::join!(shared.get(read()), shared.get(read()));
        for error in [first, second] {
            assert!(error.is_err_and(|error| error.causes() == ["denied"]));
        }
        assert_eq!(reads.load(Ordering::Relaxed), 1);
    }
}
