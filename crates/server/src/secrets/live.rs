//! Secrets that follow Parameter Store while a program runs, with a bound on the number of reads.
//!
//! Parameter Store allows 40 reads a second in an account (<https://docs.aws.amazon.com/general/latest/gr/ssm.html>). A
//! program therefore reads at fixed intervals, and between them only if somebody shows a key that it does not know, at
//! most once in [`UNKNOWN_KEY_SECONDS`]: however many invalid keys a stranger sends.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::SdkConfig;
use futures::future::BoxFuture;
use parking_lot::Mutex;

use super::{Secrets, SecretsError};
use crate::clock::Clock;
use crate::settings::Settings;

/// The age in seconds at which a function reads the secrets again, beside its work.
const DUE_SECONDS: i64 = 30;
/// The age in seconds above which no secret is used before it was read again.
const STALE_SECONDS: i64 = 60;
/// The minimum number of seconds between two reads because of an unknown key, and after a read that failed.
const UNKNOWN_KEY_SECONDS: i64 = 5;
/// The interval at which the signaling server reads them.
pub const FOLLOW_INTERVAL: Duration = Duration::from_secs(20);

/// Where secrets are read.
pub trait SecretReader: Send + Sync {
    /// Reads all secrets of a program once.
    fn read(&self) -> BoxFuture<'_, Result<Secrets, SecretsError>>;
}

/// Parameter Store as the source of a program's secrets. Its client is created by the first read.
pub struct ParameterStore {
    config: SdkConfig,
    settings: Settings,
    client: OnceLock<aws_sdk_ssm::Client>,
}

impl ParameterStore {
    /// Returns the source of the secrets that a program with these settings needs.
    pub fn new(config: SdkConfig, settings: Settings) -> Self {
        Self { config, settings, client: OnceLock::new() }
    }
}

impl SecretReader for ParameterStore {
    fn read(&self) -> BoxFuture<'_, Result<Secrets, SecretsError>> {
        let client = self.client.get_or_init(|| aws_sdk_ssm::Client::new(&self.config));
        Box::pin(Secrets::load(client, &self.settings))
    }
}

/// The secrets of a running program.
pub struct LiveSecrets {
    /// `None` if they never change.
    source: Option<Box<dyn SecretReader>>,
    clock: Clock,
    known: Mutex<Known>,
    /// Held during a read: they are made one at a time.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    secrets: Option<Arc<Secrets>>,
    /// When the read of `secrets` began, in seconds since 1970.
    read_at: i64,
    /// When the last read began, also if it failed, in seconds since 1970.
    tried_at: i64,
    /// The number of reads that have begun.
    reads: u64,
}

impl fmt::Debug for LiveSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LiveSecrets").field("secrets", &self.known.lock().secrets).finish_non_exhaustive()
    }
}

impl LiveSecrets {
    /// Returns secrets that never change.
    pub fn fixed(secrets: Secrets) -> Self {
        let known = Known { secrets: Some(Arc::new(secrets)), ..Known::default() };
        Self { source: None, clock: Clock::default(), known: Mutex::new(known), reading: tokio::sync::Mutex::default() }
    }

    /// Returns secrets from this source, which are read when they are first needed.
    pub fn new(source: impl SecretReader + 'static, clock: Clock) -> Self {
        let (known, reading) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { source: Some(Box::new(source)), clock, known, reading }
    }

    /// Returns the secrets. It waits for a read if none was made yet, or if they are older than a minute: for them to
    /// be that old, the program was idle.
    ///
    /// # Errors
    /// They were never read, and cannot be read. A later failure is logged, and those that were read last stay valid.
    pub async fn current(&self) -> Result<Arc<Secrets>, SecretsError> {
        if let Some(secrets) = self.known() {
            if self.age() < STALE_SECONDS {
                return Ok(secrets);
            }
            let _reading = self.reading.lock().await;
            if self.age() >= STALE_SECONDS && self.may_read() {
                self.read_and_log().await;
            }
            return Ok(self.known().unwrap_or(secrets));
        }
        let _reading = self.reading.lock().await;
        match self.known() {
            Some(secrets) => Ok(secrets),
            None => self.read().await,
        }
    }

    /// Returns the secrets that were read last, without a read.
    pub fn known(&self) -> Option<Arc<Secrets>> {
        self.known.lock().secrets.clone()
    }

    /// Reads them if they were read before and that is half a minute ago, and nobody else reads. For a function to call
    /// beside its work: between two requests it is suspended and cannot read.
    pub async fn refresh_if_due(&self) {
        if self.known().is_none() || self.age() < DUE_SECONDS || !self.may_read() {
            return;
        }
        if let Ok(_reading) = self.reading.try_lock() {
            self.read_and_log().await;
        }
    }

    /// Reads them now.
    pub async fn refresh(&self) {
        let _reading = self.reading.lock().await;
        self.read_and_log().await;
    }

    /// Returns the secrets for another look after `seen` did not contain a key that somebody has shown: newer ones if
    /// they were read already or may be read now, otherwise the same.
    pub async fn newer_than(&self, seen: &Arc<Secrets>) -> Arc<Secrets> {
        if self.is_latest(seen) && self.may_read() {
            let _reading = self.reading.lock().await;
            if self.is_latest(seen) && self.may_read() {
                self.read_and_log().await;
            }
        }
        self.known().unwrap_or_else(|| Arc::clone(seen))
    }

    /// As [`LiveSecrets::newer_than`], but it waits until they may be read, up to five seconds: a key that was written
    /// before the call is in what it returns.
    pub async fn newest(&self, seen: &Arc<Secrets>) -> Arc<Secrets> {
        let before = self.known.lock().reads;
        while self.source.is_some() {
            let reading = self.reading.lock().await;
            // A read that began after the call has also ended, since they are made one at a time.
            if self.known.lock().reads > before {
                break;
            }
            if self.may_read() {
                self.read_and_log().await;
                break;
            }
            drop(reading);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        self.known().unwrap_or_else(|| Arc::clone(seen))
    }

    fn is_latest(&self, seen: &Arc<Secrets>) -> bool {
        self.known.lock().secrets.as_ref().is_some_and(|latest| Arc::ptr_eq(latest, seen))
    }

    fn age(&self) -> i64 {
        if self.source.is_none() { 0 } else { elapsed(self.known.lock().read_at, self.clock.now()) }
    }

    fn may_read(&self) -> bool {
        self.source.is_some() && elapsed(self.known.lock().tried_at, self.clock.now()) >= UNKNOWN_KEY_SECONDS
    }

    async fn read_and_log(&self) {
        if let Err(error) = self.read().await {
            tracing::warn!(target: "secrets", %error, "the secrets could not be read again; the last ones stay valid");
        }
    }

    /// Reads them. `reading` must be held.
    async fn read(&self) -> Result<Arc<Secrets>, SecretsError> {
        let Some(source) = &self.source else { return Ok(self.known().unwrap_or_default()) };
        let began = self.clock.now();
        {
            let mut known = self.known.lock();
            known.tried_at = began;
            known.reads += 1;
        }
        let new = source.read().await?;
        let mut known = self.known.lock();
        known.read_at = began;
        let Some(old) = &known.secrets else {
            let first = Arc::new(new);
            known.secrets = Some(Arc::clone(&first));
            return Ok(first);
        };
        let new = new.succeeding(old, began);
        let changed = new.differing(old);
        if !changed.is_empty() {
            tracing::info!(target: "secrets", changed = changed.join(" "), "secrets have changed");
        }
        let new = Arc::new(new);
        known.secrets = Some(Arc::clone(&new));
        Ok(new)
    }
}

/// The seconds since `then`. After the clock was set back, that is long ago rather than in the future.
fn elapsed(then: i64, now: i64) -> i64 {
    if now < then { i64::MAX } else { now - then }
}

#[cfg(test)]
mod tests;
