//! When secrets are read, against a source that counts its reads and a clock that stands still.

#![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;

use super::*;
use crate::secrets::Secret;

/// A source whose SMTP password is the number of the read.
#[derive(Clone, Default)]
struct Counting {
    reads: Arc<AtomicUsize>,
    broken: Arc<Mutex<bool>>,
}

impl Counting {
    fn count(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

impl SecretReader for Counting {
    fn read(&self) -> BoxFuture<'_, Result<Secrets, SecretsError>> {
        Box::pin(async {
            let number = self.reads.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::task::yield_now().await;
            if *self.broken.lock() {
                return Err(SecretsError::Read("Throttled".to_owned()));
            }
            Ok(Secrets { smtp_pass: Some(Secret::new(number.to_string())), ..Secrets::default() })
        })
    }
}

fn live() -> (Counting, Clock, LiveSecrets) {
    let (source, clock) = (Counting::default(), Clock::fixed(1_800_000_000));
    (source.clone(), clock.clone(), LiveSecrets::new(source, clock))
}

fn number(secrets: &Arc<Secrets>) -> usize {
    secrets.smtp_pass.as_ref().unwrap().reveal().parse().unwrap()
}

#[tokio::test]
async fn many_first_requests_make_one_read() {
    let (source, _, live) = live();
    let all = join_all((0..100).map(|_| live.current())).await;
    assert!(all.into_iter().all(|secrets| number(&secrets.unwrap()) == 1));
    assert_eq!(source.count(), 1);
}

#[tokio::test]
async fn secrets_are_never_used_a_minute_after_they_were_read() {
    let (source, clock, live) = live();
    live.current().await.unwrap();
    for _ in 0..4 {
        clock.forward(59);
        let before = source.count();
        assert_eq!(number(&live.current().await.unwrap()), before, "no request waits for them before that");
        clock.forward(1);
        let all = join_all((0..100).map(|_| live.current())).await;
        assert!(all.into_iter().all(|secrets| number(&secrets.unwrap()) == before + 1));
    }
    assert_eq!(source.count(), 5);
}

#[tokio::test]
async fn busy_function_reads_every_half_minute_beside_its_work() {
    let (source, clock, live) = live();
    live.refresh_if_due().await;
    assert_eq!(source.count(), 0, "secrets that nobody has needed are not read");
    live.current().await.unwrap();
    for _ in 0..600 {
        clock.forward(1);
        join_all((0..20).map(|_| live.refresh_if_due())).await;
    }
    assert_eq!(source.count(), 1 + 600 / 30);
}

#[tokio::test]
async fn ten_thousand_unknown_keys_in_a_minute_make_at_most_twelve_reads() {
    let (source, clock, live) = live();
    live.current().await.unwrap();
    for _ in 0..60 {
        clock.forward(1);
        let seen = live.known().unwrap();
        join_all((0..167).map(|_| live.newer_than(&seen))).await;
    }
    assert!((1..=13).contains(&source.count()), "{} reads", source.count());
}

#[tokio::test]
async fn unknown_key_finds_what_somebody_else_has_read() {
    let (source, clock, live) = live();
    let seen = live.current().await.unwrap();
    clock.forward(UNKNOWN_KEY_SECONDS);
    live.refresh().await;
    assert_eq!(number(&live.newer_than(&seen).await), 2);
    assert_eq!(source.count(), 2);
}

#[tokio::test]
async fn waiting_for_the_newest_shares_one_read_that_began_later() {
    let (source, clock, live) = live();
    let live = Arc::new(live);
    let seen = live.current().await.unwrap();
    let waiting: Vec<_> = (0..1000)
        .map(|_| {
            let (live, seen) = (Arc::clone(&live), Arc::clone(&seen));
            tokio::spawn(async move { number(&live.newest(&seen).await) })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(source.count(), 1, "the read before was less than five seconds ago");
    clock.forward(UNKNOWN_KEY_SECONDS);
    for one in waiting {
        assert_eq!(one.await.unwrap(), 2);
    }
    assert_eq!(source.count(), 2);
}

#[tokio::test]
async fn failure_keeps_the_last_secrets_and_is_not_repeated_at_once() {
    let (source, clock, live) = live();
    *source.broken.lock() = true;
    assert!(live.current().await.is_err());
    *source.broken.lock() = false;
    assert_eq!(number(&live.current().await.unwrap()), 2, "the next request tries again");
    *source.broken.lock() = true;
    clock.forward(STALE_SECONDS);
    for _ in 0..100 {
        assert_eq!(number(&live.current().await.unwrap()), 2);
        live.refresh_if_due().await;
    }
    assert_eq!(source.count(), 3);
    *source.broken.lock() = false;
    clock.forward(UNKNOWN_KEY_SECONDS);
    assert_eq!(number(&live.current().await.unwrap()), 4);
}

#[tokio::test]
async fn fixed_secrets_are_never_read() {
    let live = LiveSecrets::fixed(Secrets::default());
    let seen = live.current().await.unwrap();
    live.refresh_if_due().await;
    live.refresh().await;
    assert!(Arc::ptr_eq(&seen, &live.newest(&seen).await) && Arc::ptr_eq(&seen, &live.newer_than(&seen).await));
}

#[test]
fn clock_that_was_set_back_makes_secrets_old() {
    assert_eq!((elapsed(100, 130), elapsed(100, 99)), (30, i64::MAX));
}
