//! Mail: letters from templates, and who carries them.

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

/// Attempts per letter, the first included.
const ATTEMPTS: u32 = 3;
/// When one attempt is given up.
const ATTEMPT_DEADLINE: Duration = Duration::from_secs(5);
/// When a letter is given up: a function has 10 seconds in all.
const DEADLINE: Duration = Duration::from_secs(8);
/// Before the second attempt; twice that before the third. EmailJS takes one request a second.
const PAUSE: Duration = Duration::from_millis(400);

/// Why a letter was not taken. Nothing of it goes into the reason, and nothing of what a server answered in words: that
/// often repeats the address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// May work when tried again.
    #[error("{0}")]
    Temporary(String),
    /// Will not.
    #[error("{0}")]
    Final(String),
}

/// Carries letters.
pub trait Carrier: Send + Sync {
    /// Name for the log.
    fn name(&self) -> &'static str;

    /// Hands over one letter, once.
    fn carry<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<(), MailError>>;
}

/// Sends letters: tries again, gives up in time, and says truthfully whether a letter was taken.
#[derive(Clone)]
pub struct Mailer {
    carrier: Option<Arc<dyn Carrier>>,
    last: Arc<Last>,
}

/// How the last letter fared, so that one which is not sent can seem to fare the same.
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
    /// The configured carrier. What is wrong with it is logged, and no letter goes out. `config` is for SES.
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
                tracing::error!(%error, "mail cannot go out; mend [mail] in peersync.toml");
                Self::none()
            }
        }
    }

    /// Sends nothing, and says so.
    pub fn none() -> Self {
        Self { carrier: None, last: Arc::default() }
    }

    /// Sends by a carrier of the caller's.
    pub fn with_carrier(carrier: Arc<dyn Carrier>) -> Self {
        Self { carrier: Some(carrier), last: Arc::default() }
    }

    /// Sends a letter. `false` where it was not taken; the reason is in the log, without the address.
    pub async fn send(&self, letter: &Letter) -> bool {
        let Some(carrier) = &self.carrier else { return false };
        let begun = Instant::now();
        let sent = match tokio::time::timeout(DEADLINE, attempts(carrier.as_ref(), letter)).await {
            Ok(sent) => sent,
            Err(_) => {
                tracing::error!(carrier = carrier.name(), "a mail was given up: no answer in time");
                false
            }
        };
        self.last.milliseconds.store(u64::try_from(begun.elapsed().as_millis()).unwrap_or(0), Ordering::Relaxed);
        self.last.failed.store(!sent, Ordering::Relaxed);
        sent
    }

    /// Takes as long as the last letter took and says what was said then, but sends nothing.
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

async fn attempts(carrier: &dyn Carrier, letter: &Letter) -> bool {
    for attempt in 1..=ATTEMPTS {
        let answer = tokio::time::timeout(ATTEMPT_DEADLINE, carrier.carry(letter)).await;
        let error = match answer {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => error,
            Err(_) => MailError::Temporary("no answer in time".to_owned()),
        };
        let last = attempt == ATTEMPTS || matches!(error, MailError::Final(_));
        if last {
            tracing::error!(carrier = carrier.name(), kind = letter.kind, attempt, %error, "a mail was given up");
            return false;
        }
        tracing::warn!(carrier = carrier.name(), kind = letter.kind, attempt, %error, "a mail is tried again");
        tokio::time::sleep(PAUSE * 2_u32.pow(attempt - 1)).await;
    }
    false
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
    async fn what_may_work_is_tried_again_and_what_cannot_is_not() {
        let temporary = || Err(MailError::Temporary("busy".to_owned()));
        assert_eq!(send(vec![temporary(), Ok(())]).await, (true, 0));
        assert_eq!(send(vec![temporary(), temporary(), temporary(), Ok(())]).await, (false, 1));
        assert_eq!(send(vec![Err(MailError::Final("no".to_owned())), Ok(())]).await, (false, 1));
    }

    #[tokio::test]
    async fn without_a_carrier_nobody_is_told_of_a_mail() {
        assert!(!Mailer::none().send(&letter()).await);
        assert!(!Mailer::none().pretend().await);
    }

    #[tokio::test]
    async fn pretending_says_what_the_last_letter_said() {
        let answers = vec![Ok(()), Err(MailError::Final("no".to_owned()))];
        let mailer = Mailer::with_carrier(Arc::new(Scripted(Mutex::new(answers))));
        assert!(!mailer.send(&letter()).await);
        assert!(!mailer.pretend().await);
        assert!(mailer.send(&letter()).await);
        assert!(mailer.pretend().await);
    }
}
