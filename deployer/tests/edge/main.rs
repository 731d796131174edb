//! Random requests to a running `local`: whatever a tunnel, a page of another origin or a foreign name sends, the answer
//! is no server error and no secret, has its security headers, and is the only one; and a person goes on using it.
//!
//! `PEERSYNC_FUZZ_REQUESTS` sets their number, `PEERSYNC_FUZZ_SEED` the seed that a failure prints.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a panic here fails the test")]

mod answers;
mod requests;
mod victim;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::task::JoinSet;

use answers::{Answer, exchange};
use requests::{Planned, plan};
use victim::{Local, Victim};

/// The number of requests in the test suite.
const REQUESTS: u64 = 1500;
/// The number of requests at a time.
const AT_ONCE: u64 = 8;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_gets_more_than_it_should() {
    let seed = setting("PEERSYNC_FUZZ_SEED").unwrap_or(14);
    let count = setting("PEERSYNC_FUZZ_REQUESTS").unwrap_or(REQUESTS);
    let local = Arc::new(Local::start().await);
    let victim = Arc::new(Victim::sign_in(&local).await);
    let config = local.ask("GET", "/config.json", &[], "").await.body;
    let mut workers = JoinSet::new();
    // How often each status was the answer to a random request.
    let statuses = Arc::new(Mutex::new(BTreeMap::<u16, u64>::new()));
    for worker in 0..AT_ONCE {
        let (local, victim, config) = (Arc::clone(&local), Arc::clone(&victim), config.clone());
        let statuses = Arc::clone(&statuses);
        workers.spawn(async move {
            for number in (worker..count).step_by(usize::try_from(AT_ONCE).unwrap()) {
                let mut random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number));
                let planned = plan(&mut random, local.address);
                let answers = exchange(local.address, &planned).await;
                if let Some(first) = answers.first() {
                    *statuses.lock().entry(first.status).or_default() += 1;
                }
                let shown = || format!("seed {seed}, request {number}:\n{}\n{answers:#?}", planned.shown());
                if let Err(problem) = judge(&planned, &answers, &victim, &config) {
                    panic!("{problem}; {}", shown());
                }
            }
        });
    }
    workers.join_all().await;
    let statuses = statuses.lock().clone();
    println!("{statuses:?}");
    // Requests that all fail early would prove nothing.
    for status in [200, 400, 401, 403, 404, 405] {
        assert!(statuses.get(&status).is_some_and(|times| *times >= count / 200), "{status} in {statuses:?}");
    }
    victim.goes_on(&local).await;
    local.end().await;
}

/// Checks what was answered to one request and to the plain one after it.
fn judge(planned: &Planned, answers: &[Answer], victim: &Victim, config: &str) -> Result<(), String> {
    if answers.len() > 2 {
        return Err(format!("{} answers to two requests", answers.len()));
    }
    for (position, answer) in answers.iter().enumerate() {
        if answer.status >= 500 && answer.status != 503 {
            return Err(format!("status {}", answer.status));
        }
        if let Some(secret) = victim.secrets.iter().find(|secret| answer.contains(secret)) {
            return Err(format!("the secret {secret} leaked"));
        }
        headers(answer)?;
        let asks_for_config = position > 0 || planned.is_config;
        if answer.status == 200 && asks_for_config && !answer.body.is_empty() && answer.body != config {
            return Err("another config.json".to_owned());
        }
    }
    Ok(())
}

fn headers(answer: &Answer) -> Result<(), String> {
    for cookie in answer.all("set-cookie") {
        if !cookie.contains("HttpOnly") || !cookie.contains("SameSite=") {
            return Err(format!("an open cookie: {cookie}"));
        }
    }
    if let Some(origin) = answer.all("access-control-allow-origin").find(|origin| !origin.contains("localhost")) {
        return Err(format!("pages of {origin} may read it"));
    }
    // What is no HTTP is refused before any part of ours sees it, by a bare answer.
    let bare = answer.body.is_empty() && [400, 414, 431].contains(&answer.status);
    if !bare && answer.all("x-content-type-options").next() != Some("nosniff") {
        return Err("no security headers".to_owned());
    }
    let is_page = answer.all("content-type").any(|kind| kind.starts_with("text/html"));
    if is_page && !answer.all("content-security-policy").any(|policy| policy.contains("default-src 'none'")) {
        return Err("a page without a policy".to_owned());
    }
    Ok(())
}
