//! Calls to DynamoDB that cost nobody but the user who causes them: a share of the concurrent calls for each, and after a
//! failure a pause for that user alone. Only if the database itself is unreachable does everybody pause.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use peersync_server::store::StoreError;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tracing::warn;

use super::Away;
use crate::limits::Limits;
use crate::metrics::Metrics;

/// The maximum number of users whose pause is remembered. Beyond that, a pause is not kept.
const PAUSED: usize = 10_000;

/// The calls of all users.
#[derive(Debug)]
pub struct Calls {
    limits: Arc<Limits>,
    metrics: Arc<Metrics>,
    /// Places for concurrent calls.
    all: Semaphore,
    /// The places of each user who has a call in progress.
    shares: Mutex<HashMap<Arc<str>, Arc<Semaphore>>>,
    pauses: Mutex<Pauses>,
}

#[derive(Debug, Default)]
struct Pauses {
    /// Until when all calls fail at once.
    all: Option<Instant>,
    /// Until when the calls of a user fail at once.
    users: HashMap<Arc<str>, Instant>,
}

impl Calls {
    /// Returns the calls of a server that has not called yet.
    pub fn new(limits: Arc<Limits>, metrics: Arc<Metrics>) -> Self {
        let all = Semaphore::new(limits.lookups);
        Self { limits, metrics, all, shares: Mutex::default(), pauses: Mutex::default() }
    }

    /// Makes a call of `who`, a user's address or the id of a guest's session.
    ///
    /// # Errors
    /// DynamoDB is unreachable, did not answer this call in time or refused it, or one of these happened shortly before.
    pub async fn call<T>(&self, who: &Arc<str>, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, Away> {
        if self.is_paused(who) {
            return Err(Away);
        }
        let share = Share::of(self, who);
        let in_turn = async {
            // Neither semaphore is ever closed.
            let _own = share.places.acquire().await;
            let _place = self.all.acquire().await;
            call.await
        };
        match timeout(self.limits.directory, in_turn).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) if error.is_unreachable() => self.unreachable(&error.to_string()),
            Ok(Err(error)) => self.pause(who, &error.to_string()),
            Err(_) => self.pause(who, "timed out"),
        }
        Err(Away)
    }

    /// Makes the call by which the server itself follows the database, and on which no user has an influence. Its failure
    /// pauses everybody, its success ends that.
    ///
    /// # Errors
    /// DynamoDB is unavailable.
    pub async fn probe<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, Away> {
        let error = match timeout(self.limits.directory, call).await {
            Ok(Ok(answer)) => {
                self.pauses.lock().all = None;
                return Ok(answer);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "timed out".to_owned(),
        };
        self.unreachable(&error);
        Err(Away)
    }

    /// Makes a call about several users. Its failure may be due to one of them, so nobody is paused.
    ///
    /// # Errors
    /// DynamoDB did not answer in time or refused the call.
    pub async fn together<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, Away> {
        timeout(self.limits.directory, call).await.map_err(|_| Away)?.map_err(|_| Away)
    }

    fn is_paused(&self, who: &Arc<str>) -> bool {
        let (pauses, now) = (self.pauses.lock(), Instant::now());
        [pauses.all, pauses.users.get(who).copied()].into_iter().flatten().any(|until| now < until)
    }

    fn pause(&self, who: &Arc<str>, error: &str) {
        self.metrics.directory_errors.inc();
        warn!(target: "signal", error, "a look-up of one user failed in DynamoDB; the others go on");
        let (mut pauses, now) = (self.pauses.lock(), Instant::now());
        pauses.users.retain(|_, until| now < *until);
        if pauses.users.len() < PAUSED {
            pauses.users.insert(Arc::clone(who), now + self.limits.directory_retry);
        }
    }

    fn unreachable(&self, error: &str) {
        self.metrics.directory_errors.inc();
        warn!(target: "signal", error, "friends and rooms cannot be looked up in DynamoDB; current calls and rooms continue");
        self.pauses.lock().all = Some(Instant::now() + self.limits.directory_retry);
    }
}

/// The places of a user, forgotten once no call uses them, also if the client leaves meanwhile.
struct Share<'a> {
    calls: &'a Calls,
    who: &'a Arc<str>,
    places: Arc<Semaphore>,
}

impl<'a> Share<'a> {
    fn of(calls: &'a Calls, who: &'a Arc<str>) -> Self {
        let mut shares = calls.shares.lock();
        let new = || Arc::new(Semaphore::new(calls.limits.lookups_per_user));
        let places = Arc::clone(shares.entry(Arc::clone(who)).or_insert_with(new));
        Self { calls, who, places }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut shares = self.calls.shares.lock();
        // That of the map, and this one.
        if Arc::strong_count(&self.places) == 2 {
            shares.remove(self.who);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const EVER: Duration = Duration::from_secs(3600);

    fn error(code: &str) -> StoreError {
        StoreError::Call { operation: "GetItem", code: code.to_owned() }
    }

    /// Calls that are soon too slow, and then paused for this long.
    fn calls(directory_retry: Duration) -> Calls {
        let limits = Limits { directory: Duration::from_millis(20), directory_retry, lookups: 3, ..Limits::default() };
        Calls::new(Arc::new(limits), Arc::default())
    }

    async fn ok() -> Result<(), StoreError> {
        Ok(())
    }

    async fn slow() -> Result<(), StoreError> {
        std::future::pending().await
    }

    async fn refused(code: &str) -> Result<(), StoreError> {
        Err(error(code))
    }

    fn people() -> [Arc<str>; 3] {
        ["eve", "ada", "bob"].map(Into::into)
    }

    #[tokio::test]
    async fn slow_or_refused_call_pauses_its_user_alone() {
        let (calls, [eve, ada, bob]) = (calls(EVER), people());
        assert_eq!(calls.call(&eve, slow()).await, Err(Away));
        assert_eq!(calls.call(&eve, ok()).await, Err(Away));
        assert_eq!(calls.call(&ada, ok()).await, Ok(()));
        assert_eq!(calls.call(&ada, refused("ThrottlingException")).await, Err(Away));
        assert_eq!(calls.call(&ada, ok()).await, Err(Away));
        assert_eq!(calls.call(&bob, ok()).await, Ok(()));
        assert!(calls.shares.lock().is_empty());
    }

    #[tokio::test]
    async fn pause_ends() {
        let (calls, [eve, ..]) = (calls(Duration::ZERO), people());
        assert_eq!(calls.call(&eve, slow()).await, Err(Away));
        assert_eq!(calls.call(&eve, ok()).await, Ok(()));
        assert_eq!(calls.call(&eve, refused("no connection")).await, Err(Away));
        assert_eq!(calls.call(&eve, ok()).await, Ok(()));
    }

    #[tokio::test]
    async fn user_with_many_slow_calls_takes_no_place_of_others() {
        let (calls, [eve, ada, _]) = (calls(EVER), people());
        let many = futures::future::join_all((0..20).map(|_| calls.call(&eve, slow())));
        let (_, answer) = tokio::join!(many, calls.call(&ada, ok()));
        assert_eq!(answer, Ok(()));
        assert!(calls.shares.lock().is_empty());
    }

    #[tokio::test]
    async fn unreachable_database_pauses_everybody_until_it_answers() {
        let (calls, [eve, ada, _]) = (calls(EVER), people());
        assert_eq!(calls.call(&eve, refused("no connection")).await, Err(Away));
        assert_eq!(calls.call(&ada, ok()).await, Err(Away));
        assert_eq!(calls.probe(ok()).await, Ok(()));
        assert_eq!(calls.call(&ada, ok()).await, Ok(()));
        assert_eq!(calls.probe(slow()).await, Err(Away));
        assert_eq!(calls.call(&ada, ok()).await, Err(Away));
    }
}
