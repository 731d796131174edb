//! Mail: letters from templates, and the carriers that send them.

mod emailjs;
mod letter;
mod message;
mod ses;
mod smtp;
mod texts;

pub use letter::Letter;
pub use texts::Language;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use futures::future::BoxFuture;

use peersync_server::secrets::Secrets;
use peersync_server::settings::{MailProvider, MailSettings};

/// The number of attempts per letter, including the first.
const ATTEMPTS: u32 = 3;
/// The timeout of one attempt.
const ATTEMPT_DEADLINE: Duration = Duration::from_secs(5);
/// The timeout of a letter with all attempts: a function has 10 seconds in total.
const DEADLINE: Duration = Duration::from_secs(8);
/// The pause before the second attempt, doubled before the third. EmailJS accepts one request per second.
const PAUSE: Duration = Duration::from_millis(400);

/// Why a letter was not accepted. The reason contains neither the letter nor the text of a server's response, which
/// often repeats the address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// Another attempt may succeed.
    #[error("{0}")]
    Temporary(String),
    /// The service does not accept the secret. Another attempt may succeed with a newer one.
    #[error("{0}")]
    Denied(String),
    /// Another attempt would fail too.
    #[error("{0}")]
    Final(String),
}

/// Sends letters through one service.
pub trait Carrier: Send + Sync {
    /// Returns its name in the log.
    fn name(&self) -> &'static str;

    /// Hands over one letter, in one attempt.
    fn carry<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<(), MailError>>;
}

/// Sends letters: retries, keeps the timeouts, and reports truthfully whether a letter was accepted.
#[derive(Clone)]
pub struct Mailer {
    carrier: Option<Arc<dyn Carrier>>,
    last: Arc<Last>,
}

/// Duration and result of the last letter, for [`Mailer::pretend`].
#[derive(Default)]
struct Last {
    milliseconds: AtomicU64,
    failed: AtomicBool,
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Mailer").field(&self.carrier.as_ref().map(|carrier| carrier.name())).finish()
    }
}

impl Mailer {
    /// Returns a mailer with the configured carrier. A wrong configuration is logged, and no letter is sent. `config`
    /// is for SES.
    pub fn new(settings: &MailSettings, secrets: &Secrets, config: Option<&SdkConfig>) -> Self {
        let carrier = match settings.provider {
            MailProvider::None => return Self::none(),
            MailProvider::Smtp => smtp::Smtp::new(settings, secrets.smtp_pass.as_ref()).map(boxed),
            MailProvider::Emailjs => emailjs::Emailjs::new(settings, secrets.emailjs_private_key.as_ref()).map(boxed),
            MailProvider::Ses => ses::Ses::new(settings, config).map(boxed),
        };
        match carrier {
            Ok(carrier) => Self::with_carrier(carrier),
            Err(error) => {
                tracing::error!(%error, "mail cannot be sent; fix [mail] in peersync.toml");
                Self::none()
            }
        }
    }

    /// Returns a mailer that sends nothing, and reports so.
    pub fn none() -> Self {
        Self { carrier: None, last: Arc::default() }
    }

    /// Returns a mailer with this carrier.
    pub fn with_carrier(carrier: Arc<dyn Carrier>) -> Self {
        Self { carrier: Some(carrier), last: Arc::default() }
    }

    /// Returns it with what another one remembers of its last letter.
    #[must_use]
    pub(crate) fn remembering(self, other: &Self) -> Self {
        Self { last: Arc::clone(&other.last), ..self }
    }

    /// Sends a letter. Returns false if it was not accepted; the reason is in the log, without the address.
    pub async fn send(&self, letter: &Letter) -> bool {
        self.send_or(letter, async { None }).await
    }

    /// As [`Mailer::send`], but if the service does not accept the secret, it sends through the mailer that `newer` returns,
    /// if it returns one.
    pub(crate) async fn send_or(&self, letter: &Letter, newer: impl Future<Output = Option<Self>>) -> bool {
        let Some(carrier) = &self.carrier else { return false };
        let begun = Instant::now();
        let sent = match tokio::time::timeout(DEADLINE, attempts_or(carrier, letter, newer)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(carrier = carrier.name(), kind = letter.kind, %error, "a mail could not be sent");
                false
            }
            Err(_) => {
                tracing::error!(carrier = carrier.name(), "sending a mail timed out");
                false
            }
        };
        self.last.milliseconds.store(u64::try_from(begun.elapsed().as_millis()).unwrap_or(0), Ordering::Relaxed);
        self.last.failed.store(!sent, Ordering::Relaxed);
        sent
    }

    /// Takes as long as the last letter and returns its result, but sends nothing.
    pub async fn pretend(&self) -> bool {
        if self.carrier.is_none() {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(self.last.milliseconds.load(Ordering::Relaxed))).await;
        !self.last.failed.load(Ordering::Relaxed)
    }
}

fn boxed<C: Carrier + 'static>(carrier: C) -> Arc<dyn Carrier> {
    Arc::new(carrier)
}

/// Tries again with a newer secret if the service does not accept the one that it knows.
async fn attempts_or(
    carrier: &Arc<dyn Carrier>,
    letter: &Letter,
    newer: impl Future<Output = Option<Mailer>>,
) -> Result<(), MailError> {
    let denied = match attempts(carrier.as_ref(), letter).await {
        Err(denied @ MailError::Denied(_)) => denied,
        answer => return answer,
    };
    match newer.await.and_then(|newer| newer.carrier) {
        Some(carrier) => attempts(carrier.as_ref(), letter).await,
        None => Err(denied),
    }
}

async fn attempts(carrier: &dyn Carrier, letter: &Letter) -> Result<(), MailError> {
    let mut attempt = 1;
    loop {
        let answer = tokio::time::timeout(ATTEMPT_DEADLINE, carrier.carry(letter)).await;
        let error = match answer.unwrap_or_else(|_| Err(MailError::Temporary("timed out".to_owned()))) {
            Err(error @ MailError::Temporary(_)) if attempt < ATTEMPTS => error,
            answer => return answer,
        };
        tracing::warn!(carrier = carrier.name(), kind = letter.kind, attempt, %error, "sending a mail failed and is retried");
        tokio::time::sleep(PAUSE * 2_u32.pow(attempt - 1)).await;
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use std::sync::Mutex;

    use super::*;
    use crate::mail::letter::tests::letter;

    struct Scripted(Mutex<Vec<Result<(), MailError>>>);

    impl Carrier for Scripted {
        fn name(&self) -> &'static str {
            "scripted"
        }

        fn carry<'a>(&'a self, _: &'a Letter) -> BoxFuture<'a, Result<(), MailError>> {
            let next = self.0.lock().unwrap().pop();
            Box::pin(async move { next.unwrap() })
        }
    }

    async fn send(mut answers: Vec<Result<(), MailError>>) -> (bool, usize) {
        answers.reverse();
        let carrier = Arc::new(Scripted(Mutex::new(answers)));
        let sent = Mailer::with_carrier(carrier.clone()).send(&letter()).await;
        let left = carrier.0.lock().unwrap().len();
        (sent, left)
    }

    #[tokio::test]
    async fn temporary_errors_are_retried_and_final_ones_are_not() {
        let temporary = || Err(MailError::Temporary("busy".to_owned()));
        assert_eq!(send(vec![temporary(), Ok(())]).await, (true, 0));
        assert_eq!(send(vec![temporary(), temporary(), temporary(), Ok(())]).await, (false, 1));
        assert_eq!(send(vec![Err(MailError::Final("no".to_owned())), Ok(())]).await, (false, 1));
    }

    #[tokio::test]
    async fn secret_that_is_not_accepted_is_replaced_by_a_newer_one() {
        let scripted = |answer| Mailer::with_carrier(Arc::new(Scripted(Mutex::new(vec![answer]))));
        let denied = || scripted(Err(MailError::Denied("535".to_owned())));
        assert!(denied().send_or(&letter(), async { Some(scripted(Ok(()))) }).await);
        assert!(!denied().send_or(&letter(), async { Some(denied()) }).await, "no third one is asked for");
        assert!(!denied().send_or(&letter(), async { None }).await);
        assert!(!denied().send(&letter()).await);
        let refused = scripted(Err(MailError::Final("550".to_owned())));
        assert!(!refused.send_or(&letter(), async { Some(scripted(Ok(()))) }).await, "the secret is not the reason");
    }

    #[tokio::test]
    async fn without_a_carrier_no_mail_is_reported_as_sent() {
        assert!(!Mailer::none().send(&letter()).await);
        assert!(!Mailer::none().pretend().await);
    }

    #[tokio::test]
    async fn pretending_returns_the_result_of_the_last_letter() {
        let answers = vec![Ok(()), Err(MailError::Final("no".to_owned()))];
        let mailer = Mailer::with_carrier(Arc::new(Scripted(Mutex::new(answers))));
        assert!(!mailer.send(&letter()).await);
        assert!(!mailer.pretend().await);
        assert!(mailer.send(&letter()).await);
        assert!(mailer.pretend().await);
    }
}
